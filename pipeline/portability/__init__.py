"""All that is known of one person, for that person: access and portability (GDPR, articles 15 and 20)."""
