package command

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi-go-provider/infer"
)

// server is a real sshd on the loopback, with keys of its own.
type server struct {
	connection Connection
	folder     string
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	output, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, output)
	}
	return strings.TrimSpace(string(output))
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func pointer[T any](value T) *T { return &value }

func startServer(t *testing.T) server {
	t.Helper()
	program, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil {
		t.Fatal("sshd is missing; install openssh-server: these tests need the real thing")
	}
	folder := t.TempDir()
	key := func(name string) string {
		path := filepath.Join(folder, name)
		run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path)
		return path
	}
	hostKey, userKey := key("host"), key("user")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	config := filepath.Join(folder, "sshd_config")
	lines := fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s.pub\nStrictModes no\nUsePAM no\n"+
		"PidFile none\nAcceptEnv GREETING PULUMI_COMMAND_STDOUT PULUMI_COMMAND_STDERR\nSubsystem sftp internal-sftp\n", port, hostKey, userKey)
	if err := os.WriteFile(config, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	// sshd wants its folder for privilege separation, which an init system would have made.
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		t.Fatal(err)
	}
	sshd := exec.Command(program, "-D", "-e", "-f", config)
	if err := sshd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = sshd.Process.Kill()
		_ = sshd.Wait()
	})
	address := fmt.Sprintf("127.0.0.1:%d", port)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if socket, err := net.Dial("tcp", address); err == nil {
			_ = socket.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal("sshd does not answer")
		}
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return server{folder: folder, connection: Connection{Endpoint: Endpoint{
		Host: "127.0.0.1", Port: &port, User: &me.Username, PrivateKey: pointer(read(t, userKey)),
		HostKey: pointer(strings.TrimSpace(read(t, hostKey+".pub"))), DialErrorLimit: pointer(1),
	}}}
}

func quiet(inputs RemoteInputs) infer.CreateRequest[RemoteInputs] {
	inputs.Logging = pointer("none")
	return infer.CreateRequest[RemoteInputs]{Name: "test", Inputs: inputs}
}

func TestAScriptRunsWithItsInputAndEnvironment(t *testing.T) {
	host := startServer(t)
	response, err := RemoteCommand{}.Create(context.Background(), quiet(RemoteInputs{Connection: &host.connection, ScriptInputs: ScriptInputs{
		Create: pointer(`printf '%s ' "$GREETING"; cat`), Stdin: pointer("from stdin"), Environment: &map[string]string{"GREETING": "hello"},
	}}))
	if err != nil {
		t.Fatal(err)
	}
	if response.Output.Stdout != "hello from stdin" {
		t.Fatalf("stdout is %q", response.Output.Stdout)
	}
}

func TestAFailureTellsExitStatusAndOutput(t *testing.T) {
	host := startServer(t)
	_, err := RemoteCommand{}.Create(context.Background(), quiet(RemoteInputs{Connection: &host.connection, ScriptInputs: ScriptInputs{
		Create: pointer("echo the reason >&2; exit 7"),
	}}))
	if err == nil || !strings.Contains(err.Error(), "7") || !strings.Contains(err.Error(), "the reason") {
		t.Fatalf("error is %v", err)
	}
}

func TestUpdateSeesThePreviousOutputAndDeleteRuns(t *testing.T) {
	host := startServer(t)
	marker := filepath.Join(host.folder, "marker")
	inputs := RemoteInputs{Connection: &host.connection, ScriptInputs: ScriptInputs{
		Create: pointer("touch " + marker + "; echo one"), Update: pointer(`echo "$PULUMI_COMMAND_STDOUT two"`), Delete: pointer("rm " + marker),
	}}
	request := quiet(inputs)
	created, err := RemoteCommand{}.Create(context.Background(), request)
	if err != nil {
		t.Fatal(err)
	}
	updated, err := RemoteCommand{}.Update(context.Background(), infer.UpdateRequest[RemoteInputs, RemoteState]{State: created.Output, Inputs: request.Inputs})
	if err != nil {
		t.Fatal(err)
	}
	if updated.Output.Stdout != "one two" {
		t.Fatalf("stdout is %q", updated.Output.Stdout)
	}
	if _, err := (RemoteCommand{}).Delete(context.Background(), infer.DeleteRequest[RemoteState]{State: updated.Output}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(marker); !os.IsNotExist(err) {
		t.Fatal("delete did not run")
	}
}

func TestAnotherHostKeyThanThePinnedOneIsRefused(t *testing.T) {
	host, other := startServer(t), startServer(t)
	host.connection.HostKey = other.connection.HostKey
	_, err := RemoteCommand{}.Create(context.Background(), quiet(RemoteInputs{Connection: &host.connection, ScriptInputs: ScriptInputs{Create: pointer("true")}}))
	if err == nil || !strings.Contains(err.Error(), "not the pinned") {
		t.Fatalf("error is %v", err)
	}
}

func TestAWrongKeyIsRefused(t *testing.T) {
	host, other := startServer(t), startServer(t)
	host.connection.PrivateKey = other.connection.PrivateKey
	t.Setenv("SSH_AUTH_SOCK", "")
	_, err := RemoteCommand{}.Create(context.Background(), quiet(RemoteInputs{Connection: &host.connection, ScriptInputs: ScriptInputs{Create: pointer("true")}}))
	if err == nil || !strings.Contains(err.Error(), "unable to authenticate") {
		t.Fatalf("error is %v", err)
	}
}

func TestAProxyIsJumpedThrough(t *testing.T) {
	host, proxy := startServer(t), startServer(t)
	host.connection.Proxy = &ProxyConnection{Endpoint: proxy.connection.Endpoint}
	response, err := RemoteCommand{}.Create(context.Background(), quiet(RemoteInputs{Connection: &host.connection, ScriptInputs: ScriptInputs{Create: pointer("echo through")}}))
	if err != nil {
		t.Fatal(err)
	}
	if response.Output.Stdout != "through" {
		t.Fatalf("stdout is %q", response.Output.Stdout)
	}
}

func TestALocalScriptRunsInItsFolderWithItsInterpreter(t *testing.T) {
	folder := t.TempDir()
	response, err := LocalCommand{}.Create(context.Background(), infer.CreateRequest[LocalInputs]{Name: "test", Inputs: LocalInputs{
		ScriptInputs: ScriptInputs{Create: pointer("pwd; cat"), Stdin: pointer("given"), Logging: pointer("none")},
		Dir:          &folder, Interpreter: &[]string{"/bin/sh", "-e", "-c"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if response.Output.Stdout != folder+"\ngiven" {
		t.Fatalf("stdout is %q", response.Output.Stdout)
	}
}
