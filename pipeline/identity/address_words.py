"""What the words of addresses mean: kinds of streets, units, floors, boxes, states. Tables, no gazetteer."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.identity.text import vocabulary


def _spread(table: str) -> dict[str, str]:
    """`ave avenue av` a line: each word -> the first of its line."""
    return {word: line.split()[0] for line in table.strip().splitlines() for word in line.split()}


SHORT: Mapping[str, str] = _spread("""
    st street str strasse straat saint sankt
    ste sainte
    ave avenue av aven avenida avda
    rd road
    dr drive drv
    ln lane
    ct court crt
    pl place
    blvd boulevard boul bd bvd blv
    cct circuit
    cres crescent cr crs
    cir circle
    ter terrace terr tce
    hwy highway
    pkwy parkway pky
    sq square
    cl close
    gr grove gro
    pde parade
    trl trail
    wy way
    plz plaza pza pca praca piazza
    espl esplanade
    expy expressway
    ctr center centre
    hts heights
    pt point
    xing crossing
    mt mount
    ft fort
    n north
    s south
    e east
    w west
    ne northeast
    nw northwest
    se southeast
    sw southwest
    1st first
    2nd second
    3rd third
    4th fourth
    5th fifth
    6th sixth
    7th seventh
    8th eighth
    9th ninth
    10th tenth
    chemin che chem
    imp impasse
    allee all
    rte route
    calle cll
    ctra carretera
    rua
    tv travessa trav
    rod rodovia
    estr estrada
    via
    viale vle
    cso corso
    pln plein
    rr rfd
""")
"""A word of a street -> how it is compared."""

STREET_KINDS = vocabulary("""
    st ave rd dr ln ct pl blvd cct cres cir ter hwy pkwy sq cl gr pde trl wy plz rise row walk mews
    alley run loop path pike espl expy xing quay wharf bypass
""")
"""Behind a street's name: the street ends here (or with the direction that follows)."""

KINDS_BEFORE = vocabulary("""
    rue calle rua via viale cso plz ave chemin imp allee quai cours paseo camino ctra tv rod estr
    alameda largo praca rte blvd pl rambla ronda vicolo strada st rd
""")
"""Before a street's name, where the number comes behind."""

DIRECTIONS = vocabulary("n s e w ne nw se sw")

UNITS = vocabulary("""
    apt apartment appt app apto apartamento appartement unit suite ste flat room rm shop lot spc space
    trlr trailer office ofc dept depto dpto departamento puerta pta door tur whg wohnung top int interno
    sala loja bte bus stall slip pier hangar studio villa
""")
STOREYS = vocabulary("""
    fl floor flr level lvl piso planta andar piano etage stock og stiege verdieping
""")
FLOORS = STOREYS | vocabulary("scala esc escalera bloque bldg building block tower torre tour")
"""Floors, staircases, buildings: they tell homes apart only together with a door or where there is none."""

WHOLE_UNITS = vocabulary("penthouse ph basement bsmt eg dg rez ground bajo atico")
"""A unit or a floor without a number."""

BOXES: Mapping[str, tuple[str, ...]] = {
    "po": ("box",), "p": ("o", "box"), "pob": (), "pobox": (), "post": ("office", "box"), "postal": ("box",),
    "gpo": ("box",),
    "postfach": (), "postbus": (), "bp": (), "boite": ("postale",), "apartado": (), "apdo": (), "casilla": (),
    "caixa": ("postal",), "casella": ("postale",), "locked": ("bag",), "private": ("bag",),
}  # fmt: skip
"""The first word of a post office box, and those that must follow it before the number."""

RURAL = frozenset(("rr", "hc", "psc", "cmr", "unit", "rmb"))
"""With `box`: rural routes and the military; the whole of it is the street."""

CARE_OF = frozenset(("careof", "attn", "attention", "chez", "zhd"))
NUMBER_WORDS = vocabulary("no nr num numero number nummer house hno hausnummer plot bld dom")
SIDES = vocabulary("izq izda izqda der dcha dr centro")
"""Which door of a Spanish floor."""

BEHIND_NUMBER = frozenset(("bis", "ter", "quater"))

US_STATES: Mapping[str, str] = {
    "alabama": "al", "alaska": "ak", "arizona": "az", "arkansas": "ar", "california": "ca", "colorado": "co",
    "connecticut": "ct", "delaware": "de", "florida": "fl", "georgia": "ga", "hawaii": "hi", "idaho": "id",
    "illinois": "il", "indiana": "in", "iowa": "ia", "kansas": "ks", "kentucky": "ky", "louisiana": "la",
    "maine": "me", "maryland": "md", "massachusetts": "ma", "michigan": "mi", "minnesota": "mn",
    "mississippi": "ms", "missouri": "mo", "montana": "mt", "nebraska": "ne", "nevada": "nv",
    "new hampshire": "nh", "new jersey": "nj", "new mexico": "nm", "new york": "ny", "north carolina": "nc",
    "north dakota": "nd", "ohio": "oh", "oklahoma": "ok", "oregon": "or", "pennsylvania": "pa",
    "rhode island": "ri", "south carolina": "sc", "south dakota": "sd", "tennessee": "tn", "texas": "tx",
    "utah": "ut", "vermont": "vt", "virginia": "va", "washington": "wa", "west virginia": "wv",
    "wisconsin": "wi", "wyoming": "wy", "district of columbia": "dc", "puerto rico": "pr",
}  # fmt: skip
STATES: Mapping[str, str] = {
    **US_STATES,
    "new south wales": "nsw", "victoria": "vic", "queensland": "qld", "south australia": "sa",
    "western australia": "wa",
    "tasmania": "tas", "northern territory": "nt", "australian capital territory": "act",
    "ontario": "on", "quebec": "qc", "british columbia": "bc", "alberta": "ab", "manitoba": "mb", "saskatchewan": "sk",
    "nova scotia": "ns", "new brunswick": "nb", "newfoundland and labrador": "nl", "newfoundland": "nl",
    "prince edward island": "pe", "northwest territories": "nt", "yukon": "yt", "nunavut": "nu",
    "andhra pradesh": "ap", "assam": "as", "bihar": "br", "chhattisgarh": "cg", "gujarat": "gj", "haryana": "hr",
    "himachal pradesh": "hp", "jharkhand": "jh", "karnataka": "ka", "kerala": "kl", "madhya pradesh": "mp",
    "maharashtra": "mh", "odisha": "od", "orissa": "od", "punjab": "pb", "rajasthan": "rj", "tamil nadu": "tn",
    "telangana": "ts", "uttar pradesh": "up", "uttarakhand": "uk", "west bengal": "wb",
    "sao paulo": "sp", "rio de janeiro": "rj", "minas gerais": "mg", "rio grande do sul": "rs", "parana": "pr",
    "santa catarina": "sc", "bahia": "ba", "pernambuco": "pe", "ceara": "ce", "goias": "go", "distrito federal": "df",
    "espirito santo": "es", "para": "pa", "amazonas": "am",
}  # fmt: skip
"""Names of states and provinces (US, Australia, Canada, India, Brazil) -> the usual code."""

STATE_SHORT: Mapping[str, str] = {
    "calif": "ca", "mass": "ma", "penn": "pa", "penna": "pa", "fla": "fl", "tex": "tx", "ariz": "az",
    "wash": "wa", "ill": "il", "conn": "ct", "minn": "mn", "mich": "mi", "wis": "wi", "wisc": "wi",
    "colo": "co", "okla": "ok", "ore": "or", "tenn": "tn", "nebr": "ne", "virg": "va", "ont": "on",
    "que": "qc", "alta": "ab", "man": "mb", "sask": "sk", "d c": "dc", "n y": "ny", "n j": "nj",
    "n c": "nc", "s c": "sc", "w va": "wv",
}  # fmt: skip
"""Older abbreviations, understood where a state is given apart."""

STATE_CODES = frozenset(
    [
        *US_STATES.values(),
        *[
            "nsw",
            "vic",
            "qld",
            "tas",
            "act",
            "on",
            "qc",
            "bc",
            "ab",
            "mb",
            "sk",
            "ns",
            "nb",
            "nl",
            "pe",
            "yt",
            "nu",
            "ae",
            "ap",
            "aa",
        ],
    ]
)
"""Codes that end an address of the United States, its armed forces, Australia or Canada."""

BRAZILIAN_STATES = vocabulary("""
    ac al ap am ba ce df es go ma mt ms mg pa pb pr pe pi rj rn rs ro rr sc sp se to
""")
LEADING_ZERO_STATES = vocabulary("ma ri nh me vt ct nj pr vi")
"""Where ZIP codes begin with the zero that spreadsheets lose."""

TOWNS_TOO = vocabulary("""
    georgia jersey guernsey lebanon jordan peru brazil poland holland norway angola cuba wales
""")
"""Countries whose name ends addresses within other countries as well."""
