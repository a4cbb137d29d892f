package catalogue

// table is every attack type that ABS's pages name, by id, with every spelling of it that
// they publish. Ids 30 and 50 to 53 (WebSocket) exist, but no page that was found names
// them; nor are the types known that 5.2 added (BOLA, BFLA, token claims).
//
// Names, ids and scopes are those of the list "REST API attack types" (5.0); kinds of
// client and meanings, in our words, those of the pages on token, cookie, IP, API key and
// username attacks (4.4, 5.0) and of the real-time attacks of ASE (5.2). Aliases come from
// those pages, from the pages on thresholds (5.1, 5.2), and from the sample answers of the
// forensics, anomalies, attack and threshold reports. docs/attack-types.md has the links.
//
// Category, Severity and Why are ours. The severities follow one rule, which the comments
// on Critical, Warning and Info give; Why says how it applies. A type over an extended
// period (mostly "Type 2") is as severe as the quick one: patience doesn't make it milder.
func table() []Entry {
	return []Entry{
		{
			ID: 1, Name: "Data Exfiltration Attack Type 1",
			Scope: PerAPI, Clients: []string{Token, Cookie, IP},
			Category: DataTheft, Severity: Critical,
			Meaning: "A client draws an abnormal amount of data out of an API.",
			Why:     "data is leaving, and can't be called back",
			Aliases: []string{
				"Data Exfiltration Attack", // id 1 on the IP page and in the threshold report
				"Data Exfiltration",
				"data_exfiltration_attack",
			},
		},
		{
			ID: 2, Name: "Single Client Login Attack Type 1",
			Scope: PerAPI, Clients: []string{IP},
			Category: AccountTakeover, Severity: Warning,
			Meaning: "A bot or a rogue client attacks the login.",
			Why:     "an attempt by one client, which can be blocked",
			Aliases: []string{"Single Client Login", "single_client_login_attack"},
		},
		{
			ID: 3, Name: "Multi-Client Login Attack",
			Scope: PerAPI, Clients: []string{IP},
			Category: DenialOfService, Severity: Critical,
			Meaning: "Many bots together attack the login.",
			Why:     "distributed, so no single block ends it; ABS mails an alert of its own",
			Aliases: []string{"Multi Client Login"},
		},
		{
			ID: 4, Name: "Stolen Token Attack Type 1",
			Scope: PerAPI, Clients: []string{Token, Cookie},
			Category: StolenCredentials, Severity: Critical,
			Meaning: "A stolen token (or cookie) is used against an API.",
			Why:     "somebody acts as somebody else",
			Aliases: []string{
				"Stolen Token Attack Type 1 (Token)",
				"Stolen Access Token Attack",
				"Stolen Cookie Attack Type 1",
				"Stolen Cookie Attack Type 1 (Cookie)",
				"Stolen Cookie Attack",
				"Stolen Cookie / Access Token",
			},
		},
		{
			ID: 5, Name: "API Memory Attack Type 1",
			Scope: PerAPI, Clients: []string{Token, Cookie, IP},
			Category: DenialOfService, Severity: Warning,
			Meaning: "A client floods an API with data or code.",
			Why:     "one client, which can be blocked",
			Aliases: []string{"api_memory_post"}, // a threshold; that POST is the first is inferred
		},
		{
			ID: 6, Name: "API Memory Attack Type 2",
			Scope: PerAPI, Clients: []string{Token, Cookie, IP},
			Category: DenialOfService, Severity: Warning,
			Meaning: "A client floods an API with data or code.",
			Why:     "one client, which can be blocked",
			Aliases: []string{"api_memory_put"}, // a threshold; that PUT is the second is inferred
		},
		{
			ID: 7, Name: "Cookie DoS Attack",
			Scope: PerAPI, Clients: []string{Cookie},
			Category: DenialOfService, Severity: Warning,
			Meaning: "A client burdens the session management with very many cookies.",
			Why:     "one client, which can be blocked",
			Aliases: []string{"Cookie DoS", "cookie_dos_attack"},
		},
		{
			ID: 8, Name: "API Probing Replay Attack Type 1",
			Scope: PerAPI, Clients: []string{Token, Cookie, IP},
			Category: Probing, Severity: Warning,
			Meaning: "A client probes an API for a way in (fuzzing).",
			Why:     "an attempt; nothing says that it succeeded",
			Aliases: []string{
				"API Probing Replay Attack", // id 8 on the token, cookie and IP pages
				"API Probing Replay",
			},
		},
		{
			ID: 9, Name: "API DDoS Attack Type 1",
			Scope: PerAPI, Clients: []string{Token, Cookie, IP},
			Category: DenialOfService, Severity: Critical,
			Meaning: "A distributed attack disrupts an API.",
			Why:     "a service is being disrupted; ABS mails an alert of its own",
			Aliases: []string{"API DoS Attack Type 1"}, // on the threshold page only
		},
		{
			ID: 10, Name: "Extreme Client Activity Attack",
			Scope: PerAPI, Clients: []string{Token, Cookie, IP},
			Category: AbnormalUse, Severity: Info,
			Meaning: "A client sends far more requests to an API than is usual.",
			Why:     "a busy or looping client looks the same",
			Aliases: []string{"Extreme Client Activity", "extreme_client_activity_attack"},
		},
		{
			ID: 11, Name: "Extreme App Activity Attack",
			Scope: PerAPI, Clients: []string{Token, Cookie, IP},
			Category: DenialOfService, Severity: Warning,
			Meaning: "An API works far harder than is usual, as under an injection or a CPU-intensive attack.",
			Why:     "may be an injection; ABS says may",
			Aliases: []string{"Extreme App Activity"},
		},
		{
			ID: 12, Name: "API DoS Attack",
			Scope: PerAPI, Clients: []string{IP},
			Category: DenialOfService, Severity: Warning,
			Meaning: "A client sends requests in such volume as to overload the services behind an API.",
			Why:     "one client, which can be blocked",
		},
		{
			ID: 13, Name: "API DDoS Attack Type 2",
			Scope: PerAPI, Clients: []string{IP},
			Category: DenialOfService, Severity: Critical,
			Meaning: "A botnet sends requests in such volume as to overload an API; found in real time by ASE.",
			Why:     "distributed, so no single block ends it",
		},
		{
			ID: 14, Name: "Data Deletion Attack",
			Scope: PerAPI, Clients: []string{Token, Cookie, IP},
			Category: DataTampering, Severity: Critical,
			Meaning: "A client deletes data through an API at an excessive rate.",
			Why:     "data is being lost",
			Aliases: []string{"Data Deletion"},
		},
		{
			ID: 15, Name: "Data Poisoning Attack",
			Scope: PerAPI, Clients: []string{Token, Cookie, IP},
			Category: DataTampering, Severity: Critical,
			Meaning: "A client creates or changes data through an API at an extreme rate.",
			Why:     "data is being falsified, and is hard to clean",
			Aliases: []string{"Data Poisoning"},
		},
		{
			ID: 16, Name: "Stolen Token Attack Type 2",
			Scope: AcrossAPIs, Clients: []string{Token},
			Category: StolenCredentials, Severity: Critical,
			Meaning: "A stolen token is used against several APIs.",
			Why:     "somebody acts as somebody else",
			Aliases: []string{"extended_stolen_access_token"}, // a threshold across APIs; the only such token type
		},
		{
			ID: 17, Name: "Stolen Cookie Attack Type 2",
			Scope: AcrossAPIs, Clients: []string{Cookie},
			Category: StolenCredentials, Severity: Critical,
			Meaning: "A stolen cookie is used against several APIs.",
			Why:     "somebody acts as somebody else",
		},
		{
			ID: 18, Name: "API Probing Replay Attack Type 2",
			Scope: AcrossAPIs, Clients: []string{Cookie},
			Category: Probing, Severity: Warning,
			Meaning: "A cookie's client probes APIs over an extended time.",
			Why:     "an attempt; nothing says that it succeeded",
			Aliases: []string{
				"API Probing Replay Attack 2 (client identifier: cookie)",
				"extended_probing_replay_cookie",
			},
		},
		{
			ID: 19, Name: "API Probing Replay Attack Type 2",
			Scope: AcrossAPIs, Clients: []string{Token},
			Category: Probing, Severity: Warning,
			Meaning: "A token's client probes APIs over an extended time.",
			Why:     "an attempt; nothing says that it succeeded",
			Aliases: []string{
				"API Probing Replay Type 2",
				"API Probing Replay Attack 2 (client identifier: token)",
			},
		},
		{
			ID: 20, Name: "API Probing Replay Attack Type 2",
			Scope: AcrossAPIs, Clients: []string{IP},
			Category: Probing, Severity: Warning,
			Meaning: "An IP address probes APIs over an extended time.",
			Why:     "an attempt; nothing says that it succeeded",
			Aliases: []string{
				"API Probing Replay Type 2",
				"API Probing Replay Attack 2 (client identifier: IP address)",
			},
		},
		{
			ID: 21, Name: "Data Exfiltration Attack Type 2",
			Scope: PerAPI, Clients: []string{Token, Cookie, IP},
			Category: DataTheft, Severity: Critical,
			Meaning: "A client draws data out of an API over an extended time.",
			Why:     "data is leaving, and can't be called back",
		},
		{
			ID: 22, Name: "Excessive Client Connections",
			Scope: AcrossAPIs, Clients: []string{Cookie},
			Category: DenialOfService, Severity: Info,
			Meaning: "A cookie's client opens an excessive number of TCP connections.",
			Why:     "ABS itself has it off by default",
		},
		{
			ID: 23, Name: "Excessive Client Connections",
			Scope: AcrossAPIs, Clients: []string{Token},
			Category: DenialOfService, Severity: Info,
			Meaning: "A token's client opens an excessive number of TCP connections.",
			Why:     "ABS itself has it off by default",
		},
		{
			ID: 24, Name: "Excessive Client Connections",
			Scope: AcrossAPIs, Clients: []string{IP},
			Category: DenialOfService, Severity: Info,
			Meaning: "An IP address opens an excessive number of TCP connections.",
			Why:     "ABS itself has it off by default",
		},
		{
			ID: 25, Name: "Content Scraping Type 1",
			Scope: AcrossAPIs, Clients: []string{Cookie},
			Category: DataTheft, Severity: Warning,
			Meaning: "A cookie's client reads the APIs' content in an abnormal way.",
			Why:     "content is copied, but such as the client may read",
		},
		{
			ID: 26, Name: "Content Scraping Type 1",
			Scope: AcrossAPIs, Clients: []string{Token},
			Category: DataTheft, Severity: Warning,
			Meaning: "A token's client reads the APIs' content in an abnormal way.",
			Why:     "content is copied, but such as the client may read",
		},
		{
			ID: 27, Name: "Content Scraping Type 1",
			Scope: AcrossAPIs, Clients: []string{IP},
			Category: DataTheft, Severity: Warning,
			Meaning: "An IP address reads the APIs' content in an abnormal way.",
			Why:     "content is copied, but such as the client may read",
		},
		{
			ID: 28, Name: "Content Scraping Type 2",
			Scope: PerAPI, Clients: []string{Token, Cookie, IP},
			Category: DataTheft, Severity: Warning,
			Meaning: "A client reads an API's content in an abnormal way over an extended time.",
			Why:     "content is copied, but such as the client may read",
		},
		{
			ID: 29, Name: "Unauthorized Client Attack",
			Scope:    PerAPI,
			Category: AbnormalUse, Severity: Warning,
			Meaning: "Not described by any page found; by its name, a client uses an API that isn't open to it.",
			Why:     "an attempt, by its name; no page says that it succeeds",
		},
		{
			ID: 31, Name: "Stolen API Key Attack",
			Scope: AcrossAPIs, Clients: []string{APIKey},
			Category: StolenCredentials, Severity: Critical,
			Meaning: "A stolen API key is used.",
			Why:     "somebody acts as somebody else",
			Aliases: []string{
				"Stolen API Key Attack- Per API Key", // forensics, just so
				"Stolen API Key Attack - Per API Key",
			},
		},
		{
			ID: 32, Name: "API Probing Replay Attack Type 1",
			Scope: AcrossAPIs, Clients: []string{APIKey},
			Category: Probing, Severity: Warning,
			Meaning: "An API key's client probes APIs for a way in (fuzzing).",
			Why:     "an attempt; nothing says that it succeeded",
			Aliases: []string{"Probing Replay Attack - API Key"},
		},
		{
			ID: 33, Name: "API Probing Replay Attack Type 2",
			Scope: AcrossAPIs, Clients: []string{APIKey},
			Category: Probing, Severity: Warning,
			Meaning: "An API key's client probes APIs over an extended time.",
			Why:     "an attempt; nothing says that it succeeded",
			Aliases: []string{"Extended Probing Replay Attack - API key"},
		},
		{
			ID: 34, Name: "API Probing Replay Attack Type 1",
			Scope: AcrossAPIs, Clients: []string{Username},
			Category: AccountTakeover, Severity: Critical,
			Meaning: "A user probes APIs for a way in, as with compromised credentials.",
			Why:     "ABS's anomaly report calls it an account takeover",
			Aliases: []string{"Account Takeover Attack Type 1 - Username"},
		},
		{
			ID: 35, Name: "API Probing Replay Attack Type 2",
			Scope: AcrossAPIs, Clients: []string{Username},
			Category: AccountTakeover, Severity: Critical,
			Meaning: "A user probes APIs over an extended time, as with compromised credentials.",
			Why:     "ABS's anomaly report calls it an account takeover",
			Aliases: []string{"Account Takeover Attack Type 2 - Username"},
		},
		{
			ID: 36, Name: "Sequence Attack",
			Scope: AcrossAPIs, Clients: []string{Username, Token},
			Category: AbnormalUse, Severity: Warning,
			Meaning: "A client calls APIs in an abnormal order.",
			Why:     "steps of a process are gone round, or a client is new",
		},
		{
			ID: 37, Name: "Header Manipulation Attack",
			Scope: PerAPI, Clients: []string{Token, Cookie},
			Category: Probing, Severity: Warning,
			Meaning: "A client probes an API with malicious headers.",
			Why:     "an attempt; nothing says that it succeeded",
			Aliases: []string{"Header Manipulation"},
		},
		{
			ID: 38, Name: "Abnormal API Access",
			Scope: AcrossAPIs, Clients: []string{Username},
			Category: AbnormalUse, Severity: Info,
			Meaning: "A user accesses APIs otherwise than is usual.",
			Why:     "unusual, but ABS names no harm",
		},
		{
			ID: 39, Name: "User Data Exfiltration Type 2",
			Scope: PerAPI, Clients: []string{Username},
			Category: DataTheft, Severity: Critical,
			Meaning: "A user draws an excessive amount of data out of an API.",
			Why:     "data is leaving, and can't be called back",
		},
		{
			ID: 40, Name: "User Data Injection",
			Scope: PerAPI, Clients: []string{Username},
			Category: DataTampering, Severity: Critical,
			Meaning: "A user puts an excessive amount of data into an API.",
			Why:     "data is being falsified, and is hard to clean",
		},
		{
			ID: 41, Name: "Query Manipulation Attack",
			Scope: PerAPI, Clients: []string{Token},
			Category: Probing, Severity: Warning,
			Meaning: "Not described by any page found; by its name, a client tampers with query strings.",
			Why:     "an attempt; nothing says that it succeeded",
		},
		{
			ID: 100, Name: "Decoy Attack",
			Scope: PerAPI, Clients: []string{IP},
			Category: Probing, Severity: Warning,
			Meaning: "A client calls a decoy API; found in real time by ASE.",
			Why:     "no honest client goes there, but nothing is there to harm",
		},
		{
			ID: 101, Name: "Invalid API Activity",
			Scope: PerAPI, Clients: []string{Token, Cookie, IP},
			Category: Probing, Severity: Info,
			Meaning: "A client uses a method, protocol or content type that an API doesn't take; found in real time by ASE.",
			Why:     "a faulty client does the same",
		},
	}
}
