package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/pkg/sftp"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// CopyToRemote copies a file or a folder to a machine over SFTP. Deleting the resource leaves the copy.
type CopyToRemote struct{}

// CopyInputs are remote.CopyToRemote's inputs.
type CopyInputs struct {
	Connection *Connection          `pulumi:"connection" provider:"secret"`
	Triggers   *[]any               `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	Source     types.AssetOrArchive `pulumi:"source"`
	RemotePath string               `pulumi:"remotePath"`
}

// CopyState is what is kept of a remote.CopyToRemote.
type CopyState struct {
	CopyInputs
}

// Annotate gives the official token.
func (c *CopyToRemote) Annotate(a infer.Annotator) { a.SetToken("remote", "CopyToRemote") }

// Create copies the source.
func (c CopyToRemote) Create(ctx context.Context, request infer.CreateRequest[CopyInputs]) (infer.CreateResponse[CopyState], error) {
	response := infer.CreateResponse[CopyState]{Output: CopyState{request.Inputs}}
	if request.DryRun {
		return response, nil
	}
	id, err := resource.NewUniqueHex(request.Name, 8, 0)
	if err != nil {
		return response, err
	}
	response.ID = id
	return response, copySource(ctx, request.Inputs)
}

// Update copies the source anew.
func (c CopyToRemote) Update(
	ctx context.Context, request infer.UpdateRequest[CopyInputs, CopyState],
) (infer.UpdateResponse[CopyState], error) {
	response := infer.UpdateResponse[CopyState]{Output: CopyState{request.Inputs}}
	if request.DryRun {
		return response, nil
	}
	return response, copySource(ctx, request.Inputs)
}

func copySource(ctx context.Context, inputs CopyInputs) error {
	local, err := sourcePath(inputs.Source)
	if err != nil {
		return err
	}
	client, err := inputs.Connection.dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	remote, err := sftp.NewClient(client)
	if err != nil {
		return err
	}
	defer remote.Close()
	return filepath.WalkDir(local, func(file string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(local, file)
		if err != nil {
			return err
		}
		target := path.Join(inputs.RemotePath, filepath.ToSlash(relative))
		if entry.IsDir() {
			return remote.MkdirAll(target)
		}
		return copyFile(remote, file, target)
	})
}

func sourcePath(source types.AssetOrArchive) (string, error) {
	switch {
	case source.Asset != nil && source.Asset.Path != "":
		return source.Asset.Path, nil
	case source.Archive != nil && source.Archive.Path != "":
		return source.Archive.Path, nil
	default:
		return "", errors.New("source: only a FileAsset or a FileArchive can be copied")
	}
}

func copyFile(remote *sftp.Client, from, to string) (err error) {
	reader, err := os.Open(from)
	if err != nil {
		return err
	}
	defer reader.Close()
	writer, err := remote.Create(to)
	if err != nil {
		return fmt.Errorf("%s: %w", to, err)
	}
	defer func() { err = errors.Join(err, writer.Close()) }()
	_, err = io.Copy(writer, reader)
	return err
}
