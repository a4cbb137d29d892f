package reports

import (
	"errors"
	"io"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/admin"
)

const nameAdmin = "api_admin"

// readAdmin reads the admin report; limit and the error are as in readTokens.
func (r *reportReader) readAdmin(body io.Reader, limit int64, loc *time.Location) (admin.Report, error) {
	r.reset(body, min(limit, admin.MaxBody), KindAdmin)
	a := admin.NewReader(r.Scanner, loc)
	known, message := false, false
	r.Begin()
	if r.beginsObject() {
		for key := range r.members() {
			switch name := string(key); name {
			case "name":
				known, r.at = true, "name"
				r.checkName(nameAdmin)
			case "message":
				message = true
				r.Skip(1)
			default:
				known = a.Member(name) || known
			}
		}
		r.Finish()
	}
	switch {
	case known:
	case message:
		r.failMessage()
	default:
		r.Fail(r.Offset(), "nothing in the answer belongs to "+nameAdmin)
	}
	if f := (*Fault)(nil); errors.As(r.Err(), &f) && f.TooLong && f.Offset == admin.MaxBody {
		f.Detail = "the body is longer than an admin report can be"
	}
	if r.Err() != nil {
		return admin.Report{}, r.Err()
	}
	return a.Report(), nil
}
