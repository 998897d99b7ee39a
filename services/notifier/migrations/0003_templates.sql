-- The answers that the law and the carriers expect exist before anybody has written a template; edit them as any other.

INSERT INTO templates (name, version, channel, default_language, texts, created_at) VALUES
('opt-out-sms', 1, 'sms', 'en', '{
    "en": {"body": "{{ organisation }}: you are unsubscribed and will get no more messages from us. Reply HELP for help."},
    "cy": {"body": "{{ organisation }}: rydych wedi dad-danysgrifio ac ni chewch ragor o negeseuon gennym. Atebwch CYMORTH am gymorth."}
}', '2026-01-01T00:00:00Z'),
('opt-out-email', 1, 'email', 'en', '{
    "en": {"subject": "You are unsubscribed", "body": "You will get no more messages from {{ organisation }}."},
    "cy": {"subject": "Rydych wedi dad-danysgrifio", "body": "Ni chewch ragor o negeseuon gan {{ organisation }}."}
}', '2026-01-01T00:00:00Z'),
('help-sms', 1, 'sms', 'en', '{
    "en": {"body": "{{ organisation }} messages you about matters you asked for or take part in. Reply STOP to get no more messages."},
    "cy": {"body": "Mae {{ organisation }} yn anfon negeseuon atoch am bethau y gwnaethoch ofyn amdanynt neu gymryd rhan ynddynt. Atebwch STOP i beidio â chael rhagor."}
}', '2026-01-01T00:00:00Z'),
('help-email', 1, 'email', 'en', '{
    "en": {"subject": "Help", "body": "{{ organisation }} writes to you about matters you asked for or take part in. Answer STOP to get no more messages."},
    "cy": {"subject": "Cymorth", "body": "Mae {{ organisation }} yn ysgrifennu atoch am bethau y gwnaethoch ofyn amdanynt neu gymryd rhan ynddynt. Atebwch STOP i beidio â chael rhagor."}
}', '2026-01-01T00:00:00Z');
