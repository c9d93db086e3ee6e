package command

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// server is a real sshd on the loopback, with keys of its own.
type server struct {
	connection Connection
	folder     string
	userKey    string
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

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func pointer[T any](value T) *T { return &value }

func makeKey(t *testing.T, path, keyType string) {
	t.Helper()
	size := map[string]string{"rsa": "2048", "ecdsa": "256", "ed25519": "256"}[keyType]
	run(t, "ssh-keygen", "-q", "-t", keyType, "-b", size, "-N", "", "-f", path)
}

// acceptsEnvironment lets the scripts' variables in, as Debian's own configuration does not.
const acceptsEnvironment = "AcceptEnv GREETING PULUMI_COMMAND_STDOUT PULUMI_COMMAND_STDERR\n"

func startServer(t *testing.T, settings ...string) server {
	t.Helper()
	const program = "/usr/sbin/sshd"
	if _, err := exec.LookPath(program); err != nil {
		t.Fatal("sshd is missing: install openssh-server (apt-get install openssh-server), these tests need the real thing")
	}
	folder := t.TempDir()
	port := freePort(t)
	lines := fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nStrictModes no\nUsePAM no\nPidFile none\nSubsystem sftp internal-sftp\n", port)
	// Several host keys, as every machine has: the pinned one is not the one that a client would ask for first.
	for _, keyType := range []string{"rsa", "ecdsa", "ed25519"} {
		path := filepath.Join(folder, "host-"+keyType)
		makeKey(t, path, keyType)
		lines += "HostKey " + path + "\n"
	}
	userKey := filepath.Join(folder, "user")
	makeKey(t, userKey, "ed25519")
	lines += "AuthorizedKeysFile " + userKey + ".pub\n" + strings.Join(settings, "\n")
	config := filepath.Join(folder, "sshd_config")
	write(t, config, lines)
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
	awaitPort(t, port)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return server{folder: folder, userKey: userKey, connection: Connection{Endpoint: Endpoint{
		Host: "127.0.0.1", Port: &port, User: &me.Username, PrivateKey: pointer(read(t, userKey)),
		HostKey: pointer(strings.TrimSpace(read(t, filepath.Join(folder, "host-ed25519.pub")))), DialErrorLimit: pointer(0),
	}}}
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func awaitPort(t *testing.T, port int) {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", port)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if socket, err := net.Dial("tcp", address); err == nil {
			_ = socket.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatal("sshd does not answer")
		}
	}
}
