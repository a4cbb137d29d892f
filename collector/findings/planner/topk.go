package planner

import (
	"cmp"
	"slices"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

type candidate struct {
	id    tokenid.ID
	token []byte
	score uint64
}

func compareScores(a, b candidate) int { return cmp.Compare(a.score, b.score) }

// topK keeps the limit candidates of lowest score, one a token.
type topK struct {
	limit int
	items []candidate // if there are limit of them, a heap with the highest score on top
	ids   map[tokenid.ID]bool
}

func (t *topK) offer(id tokenid.ID, token []byte, score uint64) {
	full := len(t.items) == t.limit
	if t.limit == 0 || full && score >= t.items[0].score || t.ids[id] {
		return
	}
	t.ids[id] = true
	if full {
		delete(t.ids, t.items[0].id)
		t.items[0] = candidate{id, append(t.items[0].token[:0], token...), score}
		t.siftDown()
		return
	}
	t.items = append(t.items, candidate{id, slices.Clone(token), score})
	if len(t.items) == t.limit {
		slices.SortFunc(t.items, func(a, b candidate) int { return compareScores(b, a) }) // a heap
	}
}

func (t *topK) siftDown() {
	for i, child := 0, 1; child < len(t.items); i, child = child, 2*child+1 {
		if child+1 < len(t.items) && t.items[child+1].score > t.items[child].score {
			child++
		}
		if t.items[i].score >= t.items[child].score {
			return
		}
		t.items[i], t.items[child] = t.items[child], t.items[i]
	}
}
