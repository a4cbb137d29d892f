package test

import (
	"os"
	"testing"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

func TestMain(m *testing.M) { os.Exit(tools.Main(m)) }
