std = "lua54c"
max_line_length = 150
cache = false
exclude_files = { "target", ".test", "**/node_modules" }

read_globals = { "prosody" }
files["mod_muc_cloud_notify.lua"] = { globals = { "module", "absent_members", "look_at_leases", "read_records", "stats" } }
files["mod_keep_database_connections.lua"] = { globals = { "module" } }
files["mod_muc_undelivered.lua"] = { globals = { "module", "author_of" } }
files["mod_web_push_app_server.lua"] = { globals = { "module", "vapid_public_key" } }
files["lua"] = { globals = { "module" } }
files["lua/muc_cloud_notify/engine_types.lua"] = { ignore = { "212", "231", "241" } }
files["lua/web_push_app_server/library_types.lua"] = { ignore = { "212", "231", "241" } }
files["spec"] = { std = "lua54c+busted" }
files["harness/modules"] = { globals = { "module", "control" } }
files["spec/support/modules"] = { globals = { "module" } }
files["demo/modules"] = { globals = { "module" } }
