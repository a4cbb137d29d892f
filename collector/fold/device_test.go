package fold

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// What ABS is known to report: its own names, as its pages show them, and user agents.
func TestDevice(t *testing.T) {
	for device, want := range map[string]string{
		"UNKNOWN": "UNKNOWN", "LINUX": "LINUX", "MAC_OS_X": "MAC_OS_X", "WINDOWS_XP": "WINDOWS_XP", "WINDOWS_7": "WINDOWS_7",
		"ANDROID": "ANDROID", "iOS8_4_IPHONE": "iOS8_4_IPHONE", "Windows 10": "Windows 10", "": "", "-": "-", "_other": "_other",

		"curl/8.5.0": "curl", "okhttp/4.9.1": "okhttp", "python-requests/2.31.0": "python-requests",
		"PostmanRuntime/7.36.0": "PostmanRuntime", "Go-http-client/1.1": "Go-http-client", "Go-http-client/2.0": "Go-http-client",
		"Java/1.8.0_322": "Java", "Java-http-client/17.0.2": "Java-http-client",
		"Apache-HttpClient/4.5.13 (Java/11.0.16)": "Apache-HttpClient", "axios/1.6.2": "axios",
		"aiohttp/3.8.1 Python/3.10": "aiohttp", "Faraday v1.0.1": "Faraday", "RestSharp/106.11.7.0": "RestSharp",
		"Dalvik/2.1.0 (Linux; U; Android 13; SM-G991B Build/TP1A)": "Dalvik",
		"MyBank/12.3.1 (iPhone; iOS 17.2; Scale/3.00)":             "MyBank",
		"MyBank/5.2 CFNetwork/1490.0.4 Darwin/23.2.0":              "MyBank",
		"com.example.app/1.0 (Android 12)":                         "com.example.app",
		"Slackbot-LinkExpanding 1.0 (+https://api.slack.com)":      "Slackbot-LinkExpanding",
		"sqlmap/1.7.2#stable (https://sqlmap.org)":                 "sqlmap",

		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36":                        "Chrome",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/121.0.0.0 Safari/537.36 Edg/121.0.2210.91":      "Edge",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:121.0) Gecko/20100101 Firefox/121.0":                                                       "Firefox",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Safari/605.1.15":                  "Safari",
		"Mozilla/5.0 (Linux; Android 13; SM-S911B; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0.6099 Mobile Safari/537.3": "Chrome",
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)":                                                               "Googlebot",
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.0; +https://openai.com/gptbot)":                                 "GPTBot",
		"Mozilla/5.0":             "Mozilla",
		"Mozilla/5.0 zgrab/0.x":   "Mozilla",
		"() { :; }; /bin/bash -c": "UNKNOWN",
		"/5.0":                    "UNKNOWN",
		strings.Repeat("x", 600):  strings.Repeat("x", maxAgent),
	} {
		if got := Device(device); got != want {
			t.Errorf("%q is of the family %q, not %q", device, got, want)
		}
	}
}

// A family is its own family: or the settings of a restart would end its series.
func FuzzDevice(f *testing.F) {
	for _, device := range []string{
		"LINUX", "curl/8.5.0", "a 1.2 v3.4", "Mozilla/5.0 (compatible; (x 1.1/", "Mozilla/ 5.0", "Mozilla/5.0 (Linux; Android", "Mozilla/ (iPhone OS 1_",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X) Opera/9 Version/", strings.Repeat("Mozilla/5.0 (a;b; ", 40), "Mozilla/\xff(", "Mozilla/5.0 x 1.0 (",
	} {
		f.Add(device)
	}
	f.Fuzz(func(t *testing.T, device string) {
		family := Device(device)
		if again := Device(family); again != family {
			t.Errorf("%q is of the family %q, and that of %q", device, family, again)
		}
		if !utf8.ValidString(family) || len(family) > maxAgent+len(unknown) || family == "" && device != "" {
			t.Errorf("%q is of the family %q", device, family)
		}
	})
}

// BenchmarkDevice is a family that was not looked up before.
func BenchmarkDevice(b *testing.B) {
	for name, device := range map[string]string{
		"name": "WINDOWS_7", "client": "Apache-HttpClient/4.5.13 (Java/11.0.16)",
		"browser": "Mozilla/5.0 (Linux; Android 13; SM-S911B; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0.6099.144 Mobile Safari/537.36",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Device(device)
			}
		})
	}
}
