package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pkg/sftp"
)

// upload copies a file or a folder. As with cp, what exists on the other side decides where it goes:
//
//	source | an existing folder | nothing there | an existing file
//	file   | into it            | to that path  | over it
//	dir    | into it, by name   | the same      | an error
//	dir/   | its contents       | the same      | an error
func upload(remote *sftp.Client, source, target string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	existing, err := look(remote, target)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		if existing != nil && existing.IsDir() {
			target = path.Join(target, filepath.Base(source))
		}
		return uploadFile(remote, source, target)
	}
	if err := ensureFolder(remote, target); err != nil {
		return err
	}
	if !strings.HasSuffix(source, "/") {
		target = path.Join(target, filepath.Base(source))
	}
	return fs.WalkDir(os.DirFS(source), ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return ensureFolder(remote, path.Join(target, file))
		}
		return uploadFile(remote, filepath.Join(source, file), path.Join(target, file))
	})
}

// look says what is at a path: nothing is no error.
func look(remote *sftp.Client, target string) (fs.FileInfo, error) {
	info, err := remote.Stat(target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking at %s: %w", target, err)
	}
	return info, nil
}

func ensureFolder(remote *sftp.Client, target string) error {
	info, err := look(remote, target)
	switch {
	case err != nil:
		return err
	case info == nil:
		if err := remote.Mkdir(target); err != nil {
			return fmt.Errorf("making the folder %s: %w", target, err)
		}
	case !info.IsDir():
		return fmt.Errorf("%s is there and not a folder", target)
	}
	return nil
}

func uploadFile(remote *sftp.Client, source, target string) (err error) {
	reader, err := os.Open(source)
	if err != nil {
		return err
	}
	defer reader.Close()
	writer, err := remote.Create(target)
	if err != nil {
		return fmt.Errorf("making %s: %w", target, err)
	}
	defer func() { err = errors.Join(err, writer.Close()) }()
	if _, err := writer.ReadFrom(reader); err != nil {
		return fmt.Errorf("copying %s to %s: %w", source, target, err)
	}
	return nil
}
