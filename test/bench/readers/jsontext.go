package readers

import (
	"errors"
	"io"
	"math/big"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/abs-exporter/abs-exporter/abs"
)

// ErrRefused is the error for JSON that is not the report.
var ErrRefused = errors.New("refused")

const (
	maxCount = 1 << 53
	maxDepth = 64
)

// Jsontext reads the report oauthtokens by jsontext, by the rules of package abs: rows one by one,
// their memory reused, counts integers up to 2^53, no known member twice. It skips the dates of the
// summary, and the URLs, which the exporter reads only if they are wanted. It reads strict JSON, so
// it needs a Filter.
type Jsontext struct {
	dec   jsontext.Decoder
	row   abs.Row
	arena []byte
	key   []byte
	sums  [4]int64
}

func (j *Jsontext) Read(body io.Reader, row func(*abs.Row) error) (sum abs.Summary, err error) {
	j.dec.Reset(body, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	var seen uint
	named := false
	err = j.object(func(key []byte) error {
		switch string(key) {
		case "name":
			named = true
			return errors.Join(once(&seen, 0), j.name())
		case "earlier_date":
			return errors.Join(once(&seen, 1), j.skip())
		case "later_date":
			return errors.Join(once(&seen, 2), j.skip())
		case "summary":
			return errors.Join(once(&seen, 3), j.summary(&sum))
		case "details":
			return errors.Join(once(&seen, 4), j.rows(&sum, row))
		default:
			return j.skip()
		}
	})
	if err != nil {
		return abs.Summary{}, err
	}
	if _, err := j.dec.ReadToken(); !errors.Is(err, io.EOF) || !named {
		return abs.Summary{}, ErrRefused
	}
	return sum, nil
}

func once(seen *uint, bit uint) error {
	if *seen&(1<<bit) != 0 {
		return ErrRefused
	}
	*seen |= 1 << bit
	return nil
}

// object reads an object; member reads the value of each member.
func (j *Jsontext) object(member func(key []byte) error) error {
	if t, err := j.dec.ReadToken(); err != nil || t.Kind() != '{' {
		return errors.Join(err, kindError(t.Kind() == '{'))
	}
	for j.dec.PeekKind() != '}' {
		v, err := j.dec.ReadValue()
		if err != nil {
			return err
		}
		// Names rarely have escapes. The key is only valid until the next read, and each member
		// checks it first.
		key := v[1 : len(v)-1]
		if !plain(key) {
			j.key, _ = jsontext.AppendUnquote(j.key[:0], v) // bad UTF-8 becomes U+FFFD
			key = j.key
		}
		if err := member(key); err != nil {
			return err
		}
	}
	_, err := j.dec.ReadToken()
	return err
}

func plain(b []byte) bool {
	for _, c := range b {
		if c == '\\' || c >= 0x80 {
			return false
		}
	}
	return true
}

func kindError(ok bool) error {
	if ok {
		return nil
	}
	return ErrRefused
}

// null consumes a null, if that is next.
func (j *Jsontext) null() (bool, error) {
	if j.dec.PeekKind() != 'n' {
		return false, nil
	}
	return true, j.dec.SkipValue()
}

// skip is SkipValue with the depth that package abs allows.
func (j *Jsontext) skip() error {
	depth := j.dec.StackDepth()
	for {
		if _, err := j.dec.ReadToken(); err != nil {
			return err
		}
		switch now := j.dec.StackDepth(); {
		case now > maxDepth:
			return ErrRefused
		case now == depth:
			return nil
		}
	}
}

func (j *Jsontext) name() error {
	t, err := j.dec.ReadToken()
	if err != nil || t.Kind() != '"' || t.String() != "oauth_token_metrics" {
		return errors.Join(err, ErrRefused)
	}
	return nil
}

func (j *Jsontext) text() ([]byte, error) {
	v, err := j.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	if v.Kind() != '"' {
		return nil, ErrRefused
	}
	return j.keep(v[1:len(v)-1], v), nil
}

func (j *Jsontext) textOrNull() ([]byte, error) {
	if null, err := j.null(); null || err != nil {
		return nil, err
	}
	return j.text()
}

// keep copies a text into the arena; text is without its quotes, v with them.
func (j *Jsontext) keep(text []byte, v jsontext.Value) []byte {
	from := len(j.arena)
	if plain(text) {
		j.arena = append(j.arena, text...)
	} else {
		j.arena, _ = jsontext.AppendUnquote(j.arena, v) // bad UTF-8 becomes U+FFFD
	}
	return j.arena[from:len(j.arena):len(j.arena)]
}

func (j *Jsontext) count() (int64, error) {
	v, err := j.dec.ReadValue()
	if err != nil {
		return 0, err
	}
	var n int64
	for _, c := range v {
		if c < '0' || c > '9' {
			return whole(v)
		}
		if n = n*10 + int64(c-'0'); n > maxCount {
			return 0, ErrRefused
		}
	}
	return n, nil
}

// whole reads a whole number in another notation, such as 3.0 or 1.2E3.
func whole(v jsontext.Value) (int64, error) {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(string(v)), "e")
	if e, err := strconv.Atoi(exponent); exponent != "" && (err != nil || e > 1000 || e < -1000) {
		if v.Kind() == '0' && strings.Trim(mantissa, "-.0") == "" {
			return 0, nil
		}
		return 0, ErrRefused
	}
	x, ok := new(big.Rat).SetString(string(v))
	if v.Kind() != '0' || !ok || !x.IsInt() || x.Sign() < 0 || x.Num().Cmp(big.NewInt(maxCount)) > 0 {
		return 0, ErrRefused
	}
	return x.Num().Int64(), nil
}

func (j *Jsontext) summary(sum *abs.Summary) error {
	if null, err := j.null(); null || err != nil {
		return err
	}
	var seen uint
	err := j.object(func(key []byte) (err error) {
		switch string(key) {
		case "tokens":
			err = once(&seen, 0)
			if err == nil {
				sum.Tokens, err = j.count()
			}
			return err
		case "total_requests":
			err = once(&seen, 1)
			if err == nil {
				sum.Requests, err = j.count()
			}
			return err
		default:
			return j.skip()
		}
	})
	sum.HasSummary = seen == 3
	return err
}

func (j *Jsontext) rows(sum *abs.Summary, row func(*abs.Row) error) error {
	if null, err := j.null(); null || err != nil {
		return err
	}
	return j.array(func() error {
		if err := j.readRow(); err != nil {
			return err
		}
		sum.Rows++
		if sum.RowRequests += j.row.Requests; sum.RowRequests > maxCount {
			return ErrRefused
		}
		return row(&j.row)
	})
}

func (j *Jsontext) array(element func() error) error {
	if t, err := j.dec.ReadToken(); err != nil || t.Kind() != '[' {
		return errors.Join(err, kindError(t.Kind() == '['))
	}
	for j.dec.PeekKind() != ']' {
		if err := element(); err != nil {
			return err
		}
	}
	_, err := j.dec.ReadToken()
	return err
}

func (j *Jsontext) readRow() error {
	w := &j.row
	*w = abs.Row{IPs: w.IPs[:0], Methods: w.Methods[:0], APIs: w.APIs[:0], Devices: w.Devices[:0]}
	j.arena, j.sums = j.arena[:0], [4]int64{}
	var seen uint
	err := j.object(func(key []byte) (err error) {
		switch string(key) {
		case "token":
			if err = once(&seen, 0); err == nil {
				w.Token, err = j.text()
			}
			return err
		case "total_requests":
			if err = once(&seen, 1); err == nil {
				w.Requests, err = j.count()
			}
			return err
		case "ip_list":
			if err := once(&seen, 2); err != nil {
				return err
			}
			if null, err := j.null(); null || err != nil {
				return err
			}
			return j.array(j.address)
		default:
			return j.skip()
		}
	})
	if err == nil && (seen&3 != 3 || len(w.Token) == 0) {
		err = ErrRefused
	}
	return err
}

func (j *Jsontext) address() error {
	var (
		seen uint
		who  abs.Count
		w    = &j.row
	)
	err := j.object(func(key []byte) (err error) {
		switch string(key) {
		case "ip":
			if err = once(&seen, 0); err == nil {
				who.Key, err = j.textOrNull()
			}
			return err
		case "total_requests":
			if err = once(&seen, 1); err == nil {
				who.N, err = j.count()
			}
			return errors.Join(err, j.sum(0, who.N))
		case "devices":
			if err = once(&seen, 2); err == nil {
				w.Devices, err = j.counts(w.Devices, 1)
			}
			return err
		case "methods":
			if err = once(&seen, 3); err == nil {
				w.Methods, err = j.counts(w.Methods, 2)
			}
			return err
		case "apis":
			if err = once(&seen, 4); err == nil {
				w.APIs, err = j.counts(w.APIs, 3)
			}
			return err
		default:
			return j.skip()
		}
	})
	if len(who.Key) > 0 || who.N > 0 { // an entry that is empty is no address
		w.IPs = append(w.IPs, who)
	}
	return err
}

func (j *Jsontext) sum(kind int, n int64) error {
	if j.sums[kind] += n; j.sums[kind] > maxCount {
		return ErrRefused
	}
	return nil
}

// counts reads a map from names to counts.
func (j *Jsontext) counts(dst []abs.Count, kind int) ([]abs.Count, error) {
	if null, err := j.null(); null || err != nil {
		return dst, err
	}
	err := j.object(func(key []byte) error {
		from := len(j.arena)
		j.arena = append(j.arena, key...)
		name := j.arena[from:len(j.arena):len(j.arena)]
		n, err := j.count()
		if err != nil {
			return err
		}
		dst = append(dst, abs.Count{Key: name, N: n})
		return j.sum(kind, n)
	})
	return dst, err
}
