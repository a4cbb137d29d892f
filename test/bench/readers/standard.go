package readers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// row is what encoding/json decodes of a row.
type row struct {
	Token         string `json:"token"`
	TotalRequests int64  `json:"total_requests"`
	IPList        []struct {
		IP            string           `json:"ip"`
		TotalRequests int64            `json:"total_requests"`
		Devices       map[string]int64 `json:"devices"`
		Methods       map[string]int64 `json:"methods"`
		APIs          map[string]int64 `json:"apis"`
	} `json:"ip_list"`
}

// StandardAtOnce decodes the report by encoding/json into structs, all at once.
func StandardAtOnce(body io.Reader) (rows int, err error) {
	var report struct {
		Details []row `json:"details"`
	}
	err = json.NewDecoder(body).Decode(&report)
	return len(report.Details), err
}

// StandardRows decodes it row by row.
func StandardRows(body io.Reader) (rows int, err error) {
	dec := json.NewDecoder(body)
	for {
		t, err := dec.Token()
		if err != nil {
			return 0, err
		}
		if t == "details" {
			break
		}
	}
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return 0, errors.Join(err, fmt.Errorf("details is %v", t))
	}
	for dec.More() {
		var r row
		if err := dec.Decode(&r); err != nil {
			return rows, err
		}
		rows++
	}
	return rows, nil
}
