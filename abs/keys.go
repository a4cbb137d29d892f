package abs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Keys is the consumer contract of the client for ABS's access and secret key. It is asked
// before each request, so that keys can change. Its errors are shown to users: they name
// where a key comes from and never the key.
type Keys interface {
	Keys() (access, secret string, err error)
}

// FileKeys reads the keys from two files, anew for each request: a key that was rotated is
// sent from then on, and one whose file is gone is not sent any more. A last line break
// does not belong to the key.
func FileKeys(accessFile, secretFile string) Keys { return fileKeys{accessFile, secretFile} }

// StaticKeys are keys that never change, such as those from the environment.
func StaticKeys(access, secret string) Keys { return staticKeys{access, secret} }

type fileKeys struct{ access, secret string }

func (k fileKeys) Keys() (access, secret string, err error) {
	if access, err = readKey("access", k.access); err != nil {
		return "", "", err
	}
	if secret, err = readKey("secret", k.secret); err != nil {
		return "", "", err
	}
	return access, secret, nil
}

type staticKeys struct{ access, secret string }

func (k staticKeys) Keys() (access, secret string, err error) {
	if err := CheckKey(k.access); err != nil {
		return "", "", fmt.Errorf("the access key %w", err)
	}
	if err := CheckKey(k.secret); err != nil {
		return "", "", fmt.Errorf("the secret key %w", err)
	}
	return k.access, k.secret, nil
}

// String, GoString and Format keep keys out of whatever prints a configuration.
func (staticKeys) String() string               { return "StaticKeys(…)" }
func (k staticKeys) GoString() string           { return k.String() }
func (k staticKeys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) } // nothing to do about it

const maxKey = 4096

func readKey(which, name string) (string, error) {
	f, err := os.Open(name) // #nosec G304 -- the user names the file
	if err != nil {
		return "", fmt.Errorf("the %s key cannot be read: %w", which, err)
	}
	defer f.Close() //nolint:errcheck // only read
	// Room for a line break, and for a byte more that shows a file that is too long.
	var text [maxKey + 3]byte
	n, err := io.ReadFull(f, text[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", fmt.Errorf("the %s key cannot be read: %w", which, err)
	}
	key := strings.TrimSuffix(strings.TrimSuffix(string(text[:n]), "\n"), "\r")
	if err := CheckKey(key); err != nil {
		return "", fmt.Errorf("the %s key in %s %w", which, name, err)
	}
	return key, nil
}

// CheckKey says why a text cannot be a key of ABS, which knows no colon in keys (ABS
// reference guide, "ABS REST API format"); control characters and spaces around it do not
// survive in a header. The error continues a sentence that names the key, and does not
// repeat it.
func CheckKey(key string) error {
	switch {
	case key == "":
		return errors.New("is empty")
	case len(key) > maxKey:
		return errors.New("is longer than 4096 bytes")
	case strings.Contains(key, ":"):
		return errors.New("contains a colon, which ABS does not allow in keys")
	case strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return errors.New("contains a control character or a line break")
	case strings.TrimSpace(key) != key:
		return errors.New("begins or ends with a space")
	}
	return nil
}
