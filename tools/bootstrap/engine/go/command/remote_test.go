package command

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-go-provider/infer"
)

// create runs a script on a server, quietly.
func create(host server, inputs ScriptInputs) (RemoteState, error) {
	inputs.Logging = pointer(LogNone)
	response, err := RemoteCommand{}.Create(context.Background(), infer.CreateRequest[RemoteInputs]{
		Name: "test", Inputs: RemoteInputs{ScriptInputs: inputs, Connection: &host.connection},
	})
	return response.Output, err
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Fatalf("the error has no %q: %v", part, err)
		}
	}
}

func wantStdout(t *testing.T, state RemoteState, err error, text string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if state.Stdout != text {
		t.Fatalf("stdout is %q, not %q", state.Stdout, text)
	}
}

func TestAScriptRunsWithItsInputAndEnvironment(t *testing.T) {
	state, err := create(startServer(t, acceptsEnvironment), ScriptInputs{
		Create: pointer(`printf '%s ' "$GREETING"; cat`), Stdin: pointer("from stdin"), Environment: &map[string]string{"GREETING": "hello"},
	})
	wantStdout(t, state, err, "hello from stdin")
}

func TestTheTwoOutputsAreKeptApartAndWithoutTheirLastNewline(t *testing.T) {
	state, err := create(startServer(t), ScriptInputs{Create: pointer(`printf 'a\nb\n\n'; echo c >&2`)})
	wantStdout(t, state, err, "a\nb\n")
	if state.Stderr != "c" {
		t.Fatalf("stderr is %q", state.Stderr)
	}
}

func TestAFailureTellsExitStatusAndOutput(t *testing.T) {
	_, err := create(startServer(t), ScriptInputs{Create: pointer("echo the reason >&2; exit 7")})
	wantError(t, err, "status 7", "the reason")
}

func TestAVariableThatTheHostRefusesIsAnError(t *testing.T) {
	_, err := create(startServer(t), ScriptInputs{Create: pointer("true"), Environment: &map[string]string{"GREETING": "hello"}})
	wantError(t, err, "GREETING", "AcceptEnv")
}

func TestUpdateSeesThePreviousOutputAndDeleteRuns(t *testing.T) {
	host := startServer(t, acceptsEnvironment)
	marker := filepath.Join(host.folder, "marker")
	state, err := create(host, ScriptInputs{
		Create: pointer("touch " + marker + "; echo one"), Update: pointer(`echo "$PULUMI_COMMAND_STDOUT two"`), Delete: pointer("rm " + marker),
	})
	wantStdout(t, state, err, "one")
	updated, err := RemoteCommand{}.Update(context.Background(), infer.UpdateRequest[RemoteInputs, RemoteState]{State: state, Inputs: state.RemoteInputs})
	wantStdout(t, updated.Output, err, "one two")
	if _, err := (RemoteCommand{}).Delete(context.Background(), infer.DeleteRequest[RemoteState]{State: updated.Output}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(marker); !os.IsNotExist(err) {
		t.Fatal("delete did not run")
	}
}

func TestAHostThatRefusesThePreviousOutputRunsTheScriptWithoutIt(t *testing.T) {
	state, err := create(startServer(t), ScriptInputs{Create: pointer("echo one"), Update: pointer(`echo "${PULUMI_COMMAND_STDOUT:-nothing}"`)})
	wantStdout(t, state, err, "one")
	updated, err := RemoteCommand{}.Update(context.Background(), infer.UpdateRequest[RemoteInputs, RemoteState]{State: state, Inputs: state.RemoteInputs})
	wantStdout(t, updated.Output, err, "nothing")
}

func TestWithoutAnUpdateScriptCreateRunsAgain(t *testing.T) {
	host := startServer(t)
	state, err := create(host, ScriptInputs{Create: pointer("echo x >> " + filepath.Join(host.folder, "runs"))})
	wantStdout(t, state, err, "")
	_, err = RemoteCommand{}.Update(context.Background(), infer.UpdateRequest[RemoteInputs, RemoteState]{State: state, Inputs: state.RemoteInputs})
	wantStdout(t, state, err, "")
	if runs := read(t, filepath.Join(host.folder, "runs")); runs != "x\nx\n" {
		t.Fatalf("it ran %q", runs)
	}
}

func TestAProxyIsJumpedThrough(t *testing.T) {
	host, proxy := startServer(t), startServer(t)
	host.connection.Proxy = &ProxyConnection{Endpoint: proxy.connection.Endpoint}
	state, err := create(host, ScriptInputs{Create: pointer("echo through")})
	wantStdout(t, state, err, "through")
}

func TestTheProxysHostKeyIsCheckedToo(t *testing.T) {
	host, proxy := startServer(t), startServer(t)
	endpoint := proxy.connection.Endpoint
	endpoint.HostKey = host.connection.HostKey
	host.connection.Proxy = &ProxyConnection{Endpoint: endpoint}
	_, err := create(host, ScriptInputs{Create: pointer("echo through")})
	wantError(t, err, "proxy", "not the pinned")
}
