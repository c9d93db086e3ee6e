package main

import (
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// notifySocket is where the program says that it is ready (sd_notify(3)): a name in the container's own network namespace.
const notifySocket = "@edge-sockets-notify"

// mostSockets bounds the message that carries them.
const mostSockets = 16

// afterLoss is how long the program may take to end when the sockets are gone, and with them all connections.
const afterLoss = 2 * time.Second

// run ends when the program does, or when the holder is gone: its sockets then lead nowhere, and a new start takes new ones.
func run(dir string, command []string) error {
	connection, sockets, err := takeSockets(dir)
	if err != nil {
		return err
	}
	notified, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notifySocket, Net: "unixgram"})
	if err != nil {
		return err
	}
	program := exec.Command(command[0], command[1:]...)
	program.Stdin, program.Stdout, program.Stderr = os.Stdin, os.Stdout, os.Stderr
	program.ExtraFiles = sockets
	program.Env = append(os.Environ(), "NOTIFY_SOCKET="+notifySocket)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGHUP)
	if err := program.Start(); err != nil {
		return err
	}
	for _, each := range sockets {
		each.Close()
	}
	ended := make(chan error, 1)
	go func() { ended <- program.Wait() }()
	lost := make(chan struct{})
	go func() {
		_, _ = connection.Read(make([]byte, 1))
		close(lost)
	}()
	go func() {
		said := make([]byte, 256)
		for {
			n, err := notified.Read(said)
			if err != nil {
				return
			}
			if strings.Contains(string(said[:n]), "READY=1") {
				_, _ = connection.Write([]byte{isReady})
			}
		}
	}()
	for {
		select {
		case received := <-signals:
			_ = program.Process.Signal(received)
		case err := <-ended:
			return exit(err)
		case <-lost:
			_ = program.Process.Signal(syscall.SIGTERM)
			select {
			case <-ended:
			case <-time.After(afterLoss):
				_ = program.Process.Kill()
				<-ended
			}
			return errors.New("the sockets' holder is gone; a new start takes new ones")
		}
	}
}

// exit ends as the program did.
func exit(err error) error {
	var failed *exec.ExitError
	if !errors.As(err, &failed) {
		return err
	}
	if code := failed.ExitCode(); code > 0 {
		os.Exit(code)
	}
	return err
}

// takeSockets asks until the holder has a place: after a reboot nothing says which of the two starts first.
func takeSockets(dir string) (*net.UnixConn, []*os.File, error) {
	for tries := 0; ; tries++ {
		connection, sockets, err := askForSockets(dir)
		if err == nil {
			return connection, sockets, nil
		}
		if tries%60 == 0 {
			log.Printf("waiting for the edge's sockets: %v", err)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

func askForSockets(dir string) (*net.UnixConn, []*os.File, error) {
	connection, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socketPath(dir), Net: "unix"})
	if err != nil {
		return nil, nil, err
	}
	sockets, err := receiveSockets(connection)
	if err != nil {
		connection.Close()
		return nil, nil, err
	}
	return connection, sockets, nil
}

func receiveSockets(connection *net.UnixConn) ([]*os.File, error) {
	if _, err := connection.Write([]byte{wantsSockets}); err != nil {
		return nil, err
	}
	control := make([]byte, syscall.CmsgSpace(4*mostSockets))
	_, n, _, _, err := connection.ReadMsgUnix(make([]byte, 1), control)
	if err != nil {
		return nil, err
	}
	messages, err := syscall.ParseSocketControlMessage(control[:n])
	if err != nil {
		return nil, err
	}
	if len(messages) != 1 {
		return nil, errors.New("the holder has no place")
	}
	descriptors, err := syscall.ParseUnixRights(&messages[0])
	if err != nil {
		return nil, err
	}
	var sockets []*os.File
	for index, descriptor := range descriptors {
		syscall.CloseOnExec(descriptor)
		sockets = append(sockets, os.NewFile(uintptr(descriptor), fmt.Sprintf("socket-%d", index)))
	}
	return sockets, nil
}
