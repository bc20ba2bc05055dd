"""Countries by their codes and names in the languages of most customers, as the words they are compared by."""

from __future__ import annotations

from collections.abc import Mapping

_TABLE = """
AD and,andorra,andorre
AE are,united arab emirates,vereinigte arabische emirate,emirats arabes unis,emiratos arabes unidos,emirati
   arabi uniti,emirados arabes unidos,verenigde arabische emiraten,uae,u a e,emirates
AF afg,afghanistan,afganistan,afeganistao
AG atg,antigua and barbuda,antigua und barbuda,antigua et barbuda,antigua y barbuda,antigua e barbuda,antigua en
   barbuda
AI aia,anguilla,anguila
AL alb,albania,albanien,albanie
AM arm,armenia,armenien,armenie
AO ago,angola
AQ ata,antarctica,antarktis,antarctique,antartida,antartide
AR arg,argentina,argentinien,argentine,argentinie
AS asm,american samoa,amerikanisch samoa,samoa americaines,samoa americana,samoa americane,amerikaans samoa
AT aut,austria,osterreich,autriche,oostenrijk,oesterreich
AU aus,australia,australien,australie
AW abw,aruba
AX ala,aland islands,aaland inseln,iles aland,islas aland,isole aland,ilhas aland,alandeilanden
AZ aze,azerbaijan,aserbaidschan,azerbaidjan,azerbaiyan,azerbaigian,azerbaijao,azerbeidzjan
BA bih,bosnia and herzegovina,bosnien und herzegowina,bosnie herzegovine,bosnia y hercegovina,bosnia
   erzegovina,bosnia herzegovina,bosnie en herzegovina,bosnia
BB brb,barbados,barbade
BD bgd,bangladesh,bangladesch
BE bel,belgium,belgien,belgique,belgica,belgio,belgie
BF bfa,burkina faso,burquina faso
BG bgr,bulgaria,bulgarien,bulgarie,bulgarije,balgariya,bulgariya
BH bhr,bahrain,bahrein
BI bdi,burundi
BJ ben,benin
BL blm,saint barthelemy,san bartolome,sao bartolomeu
BM bmu,bermuda,bermudes,bermudas
BN brn,brunei
BO bol,bolivia,bolivien,bolivie,plurinational state of bolivia
BQ bes,bonaire sint eustatius and saba,bonaire sint eustatius und saba,bonaire saint eustache et saba,bonaire
   san eustaquio y saba,bonaire sint eustatius e saba
BR bra,brazil,brasilien,bresil,brasil,brasile,brazilie
BS bhs,bahamas
BT btn,bhutan,bhoutan,butan,butao
BV bvt,bouvet island,bouvet insel,ile bouvet,isla bouvet,isola di bouvet,ilha bouvet,bouveteiland
BW bwa,botswana,botsuana
BY blr,belarus,bielo russie,bielorrusia,bielorussia,wit rusland
BZ blz,belize,belice
CA can,canada,kanada
CC cck,cocos islands,kokos inseln,iles cocos,islas cocos,isole cocos,ilhas coco,cocoseilanden
CD cod,the democratic republic of congo,demokratische republik kongo,republique democratique du congo,republica
   democratica del congo,repubblica democratica del congo,congo kinshasa,dr congo
CF caf,central african republic,zentralafrikanische republik,republique centre africaine,republica
   centroafricana,repubblica centrafricana,republica centro africana,centraal afrikaanse republiek
CG cog,congo,kongo,congo brazzaville
CH che,switzerland,schweiz,suisse,suiza,svizzera,suica,zwitserland,swiss
CI civ,cote divoire,elfenbeinkuste,costa de marfil,costa davorio,costa do marfim,ivoorkust,ivory coast
CK cok,cook islands,cook inseln,iles cook,islas cook,isole cook,ilhas cook,cookeilanden
CL chl,chile,chili,cile
CM cmr,cameroon,kamerun,cameroun,camerun,republica dos camaroes,kameroen
CN chn,china,chine,cina,peoples republic of china,prc
CO col,colombia,kolumbien,colombie
CR cri,costa rica
CU cub,cuba,kuba
CV cpv,cape verde,kap verde,cap vert,cabo verde,capo verde,kaapverdie
CW cuw,curacao
CX cxr,christmas island,weihnachtsinsel,ile christmas,isla christmas,isola di natale,ilhas natal,christmaseiland
CY cyp,cyprus,zypern,chypre,chipre,cipro
CZ cze,czech republic,tschechische republik,republique tcheque,chequia,repubblica ceca,republica
   tcheca,tsjechie,tschechien,republica checa,cesko,ceska republika
DE deu,germany,deutschland,allemagne,alemania,germania,alemanha,duitsland,ger,brd,bundesrepublik
   deutschland,federal republic of germany
DJ dji,djibouti,dschibuti,yibuti,gibuti,djibuti
DK dnk,denmark,danemark,dinamarca,danimarca,denemarken,danmark
DM dma,dominica,dominique
DO dom,dominican republic,dominikanische republik,republique dominicaine,republica dominicana,repubblica
   dominicana,dominicaanse republiek
DZ dza,algeria,algerien,algerie,argelia,algerije
EC ecu,ecuador,equateur,equador
EE est,estonia,estland,estonie
EG egy,egypt,agypten,egypte,egipto,egitto,egito,misr
EH esh,western sahara,westsahara,sahara occidental,sahara occidentale,saara ocidental,westelijke sahara
ER eri,eritrea,erythree,eritreia
ES esp,spain,spanien,espagne,espana,spagna,espanha,spanje
ET eth,ethiopia,athiopien,ethiopie,etiopia
FI fin,finland,finnland,finlande,finlandia,suomi
FJ fji,fiji,fidschi,fidji,fiyi,figi
FK flk,falkland islands,falkland inseln,iles malouines,islas malvinas,isole falkland,ilhas
   malvinas,falklandeilanden
FM fsm,micronesia,mikronesien,micronesie
FO fro,faroe islands,faroer inseln,iles feroe,islas feroe,isole faeroer,ilhas faroe,faeroer
FR fra,france,frankreich,francia,franca,frankrijk
GA gab,gabon,gabun,gabao
GB gbr,united kingdom,vereinigtes konigreich,royaume uni,reino unido,regno unito,verenigd koninkrijk,uk,u
   k,great britain,england,scotland,wales,northern ireland,britain,grossbritannien,grande bretagne,gran
   bretagna,gran bretana,gra bretanha,groot brittannie,inglaterra,angleterre
GD grd,grenada,grenade
GE geo,georgia,georgien,georgie
GF guf,french guiana,franzosisch guayana,guyane francaise,guayana francesa,guayana francese,guiana
   francesa,frans guyana
GG ggy,guernsey,guernesey
GH gha,ghana,gana
GI gib,gibraltar,gibilterra
GL grl,greenland,gronland,groenland,groenlandia
GM gmb,gambia,gambie
GN gin,guinea,guinee,guine
GP glp,guadeloupe,guadalupe,guadalupa
GQ gnq,equatorial guinea,aquatorial guinea,guinee equatoriale,guinea ecuatorial,guinea equatoriale,guine
   equatorial,equatoriaal guinea
GR grc,greece,griechenland,grece,grecia,griekenland,hellas,ellada
GS sgs,south georgia and the south sandwich islands,sud georgia und die sudlichen sandwich inseln,georgie du sud
   et iles sandwich du sud,islas georgia del sur y sandwich del sur,georgia del sud e isole sandwich
   meridionali,georgia do sul e ilhas sandwich do sul,zuid georgie en zuidelijke sandwicheilanden
GT gtm,guatemala
GU gum,guam
GW gnb,guinea bissau,guinee bissau,guine bissau
GY guy,guyana,guiana
HK hkg,hong kong,hongkong,hong kong regiao admin especial da china,hongkong sar van china,hong kong sar
HM hmd,heard island and mcdonald islands,heard und mcdonald inseln,ile heard et iles mcdonald,islas heard y
   mcdonald,isole heard e mcdonald,ilha heard e ilhas mcdonald,heard en mcdonaldeilanden
HN hnd,honduras
HR hrv,croatia,kroatien,croatie,croacia,croazia,kroatie,hrvatska
HT hti,haiti
HU hun,hungary,ungarn,hongrie,hungria,ungheria,hongarije,magyarorszag
ID idn,indonesia,indonesien,indonesie
IE irl,ireland,irland,irlande,irlanda,ierland,eire,republic of ireland
IL isr,israel,israele
IM imn,isle of man,ile de man,isla de man,isola di man,ilha de man
IN ind,india,indien,inde,bharat
IO iot,british indian ocean territory,britische territorien im indischen ozean,territoires britanniques de
   locean indien,territorio britanico del oceano indico,territorio britannico delloceano indiano,territorio
   britanico do oceano indico,britse gebieden in de indische oceaan
IQ irq,iraq,irak,iraque
IR irn,iran,ira,iran islamic republic of
IS isl,iceland,island,islande,islandia,islanda,ijsland
IT ita,italy,italien,italie,italia
JE jey,jersey
JM jam,jamaica,jamaika,jamaique,giamaica
JO jor,jordan,jordanien,jordanie,jordania,giordania
JP jpn,japan,japon,giappone,japao,nippon,nihon,ri ben
KE ken,kenya,kenia,quenia
KG kgz,kyrgyzstan,kirgistan,kirguizistan,kirghizistan,quirguistao,kirgizie
KH khm,cambodia,kambodscha,cambodge,camboya,cambogia,camboja,cambodja
KI kir,kiribati,quiribati
KM com,comoros,komoren,comores,comore,comoren
KN kna,saint kitts and nevis,saint kitts und nevis,saint christophe et nieves,san cristobal y nieves,saint kitts
   e nevis,sao cristovao e nevis,saint kitts en nevis
KP prk,north korea,nordkorea,coree du nord,corea del norte,corea del nord,coreia do norte,noord korea
KR kor,south korea,sudkorea,coree du sud,corea del sur,corea del sud,coreia do sul,zuid korea,korea,republic of
   korea
KW kwt,kuwait,koweit,koeweit
KY cym,cayman islands,kaiman inseln,iles caimans,islas caiman,isole cayman,ilhas caiman,caymaneilanden
KZ kaz,kazakhstan,kasachstan,kazajstan,casaquistao,kazachstan
LA lao,laos,republica popular democratica do laos,lao pdr
LB lbn,lebanon,libanon,liban,libano
LC lca,saint lucia,st lucia,sainte lucie,santa lucia,sainte lucia
LI lie,liechtenstein,lichtenstein
LK lka,sri lanka
LR lbr,liberia
LS lso,lesotho,lesoto
LT ltu,lithuania,litauen,lithuanie,lituania,litouwen
LU lux,luxembourg,luxemburg,luxemburgo,lussemburgo
LV lva,latvia,lettland,lettonie,letonia,lettonia,letland
LY lby,libya,libyen,libye,libia,libie
MA mar,morocco,marokko,maroc,marruecos,marocco,marrocos,al maghrib
MC mco,monaco
MD mda,moldova,moldau,moldavie,moldavia,republic of moldova
ME mne,montenegro
MF maf,saint martin,st martin,san martin,sao martinho
MG mdg,madagascar,madagaskar
MH mhl,marshall islands,marshall inseln,iles marshall,islas marshall,isole marshall,ilhas
   marshall,marshalleilanden
MK mkd,macedonia,mazedonien,macedoine,macedonie
ML mli,mali
MM mmr,myanmar,mianmar birmania,burma
MN mng,mongolia,mongolei,mongolie
MO mac,macao,macau regiao admin especial da china,macao sar van china
MP mnp,northern mariana islands,nordliche mariannen inseln,iles mariannes du nord,islas marianas del norte,isole
   marianne settentrionali,ilhas marianas do norte,noordelijke marianeneilanden
MQ mtq,martinique,martinica
MR mrt,mauritania,mauretanien,mauritanie
MS msr,montserrat
MT mlt,malta,malte
MU mus,mauritius,maurice,mauricio,maurizio
MV mdv,maldives,maldiven,maldivas,maldive
MW mwi,malawi,malaui
MX mex,mexico,mexiko,mexique,messico
MY mys,malaysia,malaisie,malasia,maleisie
MZ moz,mozambique,mosambik,mozambico,mocambique
NA nam,namibia,namibie
NC ncl,new caledonia,neukaledonien,nouvelle caledonie,nueva caledonia,nuova caledonia,nova caledonia,nieuw
   caledonie
NE ner,niger
NF nfk,norfolk island,norfolk insel,ile norfolk,isla norfolk,isola norfolk,ilha norfolk,norfolkeiland
NG nga,nigeria
NI nic,nicaragua
NL nld,netherlands,niederlande,pays bas,holanda,paesi bassi,nederland,the netherlands,holland,hollande,olanda
NO nor,norway,norwegen,norvege,noruega,norvegia,noorwegen,norge
NP npl,nepal
NR nru,nauru
NU niu,niue
NZ nzl,new zealand,neuseeland,nouvelle zelande,nueva zelanda,nuova zelanda,nova zelandia,nieuw zeeland
OM omn,oman,oma
PA pan,panama
PE per,peru,perou
PF pyf,french polynesia,franzosisch polynesien,polynesie francaise,polinesia francesa,polinesia francese,frans
   polynesie
PG png,papua new guinea,papua neuguinea,papouasie nouvelle guinee,papua nuova guinea,papua nova guine,papoea
   nieuw guinea
PH phl,philippines,philippinen,filipinas,filippine,filipijnen
PK pak,pakistan,paquistan,paquistao
PL pol,poland,polen,pologne,polonia,polska
PM spm,saint pierre and miquelon,st pierre und miquelon,saint pierre et miquelon,san pedro y miquelon,saint
   pierre e miquelon,saint pierre en miquelon
PN pcn,pitcairn,islas pitcairn
PR pri,puerto rico,porto rico
PS pse,palestine,palastina,palestina,territorios palestinos,palestijns gebied
PT prt,portugal,portogallo
PW plw,palau,belau,palaos
PY pry,paraguay,paraguai
QA qat,qatar,katar,catar
RE reu,reunion,la reunion,reuniao
RO rou,romania,rumanien,roumanie,rumania,romenia,roemenie
RS srb,serbia,serbien,serbie,servia,servie,srbija
RU rus,russia,russland,russie,rusia,rusland,russian federation
RW rwa,rwanda,ruanda
SA sau,saudi arabia,saudi arabien,arabie saoudite,arabia saudita,saoedi arabie
SB slb,solomon islands,solomon inseln,iles salomon,islas salomon,isole solomon,ilhas salomao,salomonseilanden
SC syc,seychelles,seychellen
SD sdn,sudan,soudan,sudao,soedan
SE swe,sweden,schweden,suede,suecia,svezia,zweden,sverige
SG sgp,singapore,singapur,singapour,cingapura
SH shn,saint helena,st helena,sainte helene,santa helena,santelena,sint helena
SI svn,slovenia,slowenien,slovenie,eslovenia,slovenija
SJ sjm,svalbard and jan mayen,svalbard und jan mayen,svalbard et jan mayen,svalbard y jan mayen,svalbard e jan
   mayen,svalbard en jan mayen
SK svk,slovakia,slowakei,slovaquie,eslovaquia,slovacchia,slowakije,slovensko
SL sle,sierra leone,sierra leona,serra leoa
SM smr,san marino,saint marin
SN sen,senegal
SO som,somalia,somalie
SR sur,suriname,surinam
SS ssd,south sudan,sudsudan,sud soudan,sudan del sur,sudan del sud
ST stp,sao tome and principe,sao tome und principe,sao tome et principe,santo tome y principe,sao tome e
   principe,sao tome en principe
SV slv,el salvador
SX sxm,sint maarten dutch part,sint maarten niederlandischer teil,saint martin partie neerlandaise,san martin
   region holandesa,sint maarten parte olandese
SY syr,syria,syrien,syrie,siria,syrian arab republic
SZ swz,swaziland,swasiland,suazilandia
TC tca,turks and caicos islands,turks und caicos inseln,iles turks et caicos,islas turcas y caicos,isole turks e
   caicos,ilhas turks e caicos,turks en caicoseilanden
TD tcd,chad,tschad,tchad,ciad,chade,tsjaad
TF atf,french southern territories,franzosische sudgebiete,territoires francais du sud,territorios franceses del
   sur,territori francesi doltremare,territorios franceses do sul,franse gebieden in de zuidelijke indische
   oceaan
TG tgo,togo
TH tha,thailand,thailande,tailandia,thailandia
TJ tjk,tajikistan,tadschikistan,tadjikistan,tayikistan,tagikistan,tadjiquistao,tadzjikistan
TK tkl,tokelau
TL tls,timor leste,timor oriental,oost timor,east timor
TM tkm,turkmenistan,turcomenistao
TN tun,tunisia,tunesien,tunisie,tunez,tunesie
TO ton,tonga
TR tur,turkey,turkei,turquie,turquia,turchia,turkije,turkiye
TT tto,trinidad and tobago,trinidad und tobago,trinite et tobago,trinidad y tobago,trinidad e tobago,trinidad en
   tobago
TV tuv,tuvalu
TW twn,taiwan
TZ tza,tanzania,tansania,tanzanie,united republic of tanzania
UA ukr,ukraine,ucrania,ucraina,oekraine,ukrayina
UG uga,uganda,ouganda,oeganda
UM umi,united states minor outlying islands,ubrige inseln im pazifik der usa,dependances americaines du
   pacifique,islas menores alejadas de los estados unidos,isole minori lontane degli stati uniti,ilhas menores
   distantes dos estados unidos,amerikaanse kleinere afgelegen eilanden
US usa,united states,vereinigte staaten von amerika,etats unis,estados unidos,stati uniti,verenigde
   staten,united states of america,america,u s,u s a,the united states,eeuu,ee uu,etats unis d amerique,eua
UY ury,uruguay,uruguai
UZ uzb,uzbekistan,usbekistan,ouzbekistan,uzbequistao,oezbekistan
VA vat,vatican,vatikanstadt,ciudad del vaticano,citta del vaticano,vaticano,vaticaanstad,holy see
VC vct,saint vincent and the grenadines,st vincent und die grenadinen,saint vincent et les grenadines,san
   vicente y las granadinas,saint vincent e grenadine,sao vicente e granadinas,saint vincent en de grenadines
VE ven,venezuela,bolivarian republic of venezuela
VG vgb,british virgin islands,britische jungferninseln,iles vierges britanniques,islas virgenes britanicas,isole
   vergini gb,ilhas virgens britanicas,britse maagdeneilanden
VI vir,u s virgin islands,amerikanische jungferninseln,iles vierges americaines,islas virgenes americanas,isole
   vergini usa,ilhas virgens dos eua,amerikaanse maagdeneilanden
VN vnm,vietnam,vietna,viet nam
VU vut,vanuatu
WF wlf,wallis and futuna,wallis und futuna,wallis et futuna,wallis y futuna,wallis e futuna,wallis en futuna
WS wsm,samoa
YE yem,yemen,jemen,iemen
YT myt,mayotte,mayotta
ZA zaf,south africa,sudafrika,afrique du sud,sudafrica,africa do sul,zuid afrika
ZM zmb,zambia,sambia,zambie
ZW zwe,zimbabwe,simbabwe,zimbabue
"""
"""ISO 3166-1: alpha-2, then alpha-3 and names, parted by commas; an indented line goes on with the one above."""


def _names() -> dict[str, str]:
    found: dict[str, str] = {}
    for line in _TABLE.strip().replace("\n   ", " ").splitlines():
        code, _, names = line.partition(" ")
        found[code.lower()] = code
        found |= dict.fromkeys(names.split(","), code)
    return found


COUNTRIES: Mapping[str, str] = _names()
"""Canonical words of a country's code or name -> ISO 3166-1 alpha-2."""
