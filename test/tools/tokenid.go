package tools

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// TokenID returns the stand-in for a token in every label, computed as the reference describes it
// and not by the exporter's code: 16 hex digits, the first 64 bits of HMAC-SHA256(key, token).
func TokenID(key, token string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(token))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}
