package command

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"strings"
	"sync"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// Logging says which outputs the user sees while a script runs. It does not change what is kept.
type Logging string

// The values of `logging`.
const (
	LogStdout Logging = "stdout"
	LogStderr Logging = "stderr"
	LogBoth   Logging = "stdoutAndStderr"
	LogNone   Logging = "none"
)

// Values lists what may be given.
func (Logging) Values() []infer.EnumValue[Logging] {
	return []infer.EnumValue[Logging]{
		{Name: "Stdout", Value: LogStdout},
		{Name: "Stderr", Value: LogStderr},
		{Name: "StdoutAndStderr", Value: LogBoth},
		{Name: "None", Value: LogNone},
	}
}

// record keeps what a script prints and shows its lines as they come.
type record struct {
	mutex sync.Mutex
	// out and err are the two outputs, both is the two in the order in which they came, for an error's text.
	out, err, both bytes.Buffer
	logging        Logging
	pipe           *io.PipeWriter
	done           chan struct{}
}

func newRecord(ctx context.Context, logging Logging) *record {
	r := &record{logging: logging}
	if logging == LogNone {
		return r
	}
	reader, writer := io.Pipe()
	r.pipe, r.done = writer, make(chan struct{})
	go func() {
		defer close(r.done)
		lines := bufio.NewReader(reader)
		for {
			line, err := lines.ReadString('\n')
			if line = strings.TrimRight(line, "\r\n"); line != "" {
				// As status: it passes by, so that what a script prints is not kept in the update's history.
				p.GetLogger(ctx).InfoStatus(line)
			}
			if err != nil {
				return
			}
		}
	}()
	return r
}

// stream is one of a script's two outputs.
type stream struct {
	record *record
	buffer *bytes.Buffer
	shown  bool
}

func (r *record) stdout() io.Writer {
	return stream{r, &r.out, r.logging == LogStdout || r.logging == LogBoth}
}

func (r *record) stderr() io.Writer {
	return stream{r, &r.err, r.logging == LogStderr || r.logging == LogBoth}
}

func (s stream) Write(chunk []byte) (int, error) {
	s.record.mutex.Lock()
	defer s.record.mutex.Unlock()
	s.buffer.Write(chunk)
	s.record.both.Write(chunk)
	if s.shown {
		_, _ = s.record.pipe.Write(chunk)
	}
	return len(chunk), nil
}

// close waits until the last line is shown.
func (r *record) close() {
	if r.pipe != nil {
		_ = r.pipe.Close()
		<-r.done
	}
}

func (r *record) all() string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.both.String()
}

// outputs are what was printed, without the newline that ends it.
func (r *record) outputs() ScriptOutputs {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return ScriptOutputs{
		Stdout: strings.TrimSuffix(r.out.String(), "\n"),
		Stderr: strings.TrimSuffix(r.err.String(), "\n"),
	}
}
