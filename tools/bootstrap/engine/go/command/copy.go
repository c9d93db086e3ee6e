package command

import (
	"context"

	"github.com/pkg/sftp"
	p "github.com/pulumi/pulumi-go-provider"
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

// Check refuses a source that is not a file or a folder on disk, in the preview already.
func (c CopyToRemote) Check(ctx context.Context, request infer.CheckRequest) (infer.CheckResponse[CopyInputs], error) {
	inputs, failures, err := infer.DefaultCheck[CopyInputs](ctx, request.NewInputs)
	source := inputs.Source
	unknown := source.Asset == nil && source.Archive == nil
	asset := source.Asset != nil && source.Asset.IsPath()
	archive := source.Archive != nil && source.Archive.IsPath()
	if err == nil && len(failures) == 0 && !unknown && !asset && !archive {
		failures = append(failures, p.CheckFailure{
			Property: "source", Reason: "only a FileAsset or a FileArchive, a path on this machine, can be copied",
		})
	}
	return infer.CheckResponse[CopyInputs]{Inputs: inputs, Failures: failures}, err
}

// Create copies the source.
func (c CopyToRemote) Create(ctx context.Context, request infer.CreateRequest[CopyInputs]) (infer.CreateResponse[CopyState], error) {
	response := infer.CreateResponse[CopyState]{Output: CopyState{request.Inputs}}
	if request.DryRun {
		return response, nil
	}
	id, err := resource.NewUniqueHex("", 8, 0)
	if err != nil {
		return response, err
	}
	response.ID = id
	return response, request.Inputs.copy(ctx)
}

// Update copies the source anew where it, or the place that it goes to, has changed.
func (c CopyToRemote) Update(
	ctx context.Context, request infer.UpdateRequest[CopyInputs, CopyState],
) (infer.UpdateResponse[CopyState], error) {
	inputs, before := request.Inputs, request.State
	response := infer.UpdateResponse[CopyState]{Output: CopyState{inputs}}
	if request.DryRun || (inputs.hash() == before.hash() && inputs.RemotePath == before.RemotePath) {
		return response, nil
	}
	return response, inputs.copy(ctx)
}

func (inputs CopyInputs) hash() string {
	if inputs.Source.Archive != nil {
		return inputs.Source.Archive.Hash
	}
	return inputs.Source.Asset.Hash
}

func (inputs CopyInputs) path() string {
	if inputs.Source.Archive != nil {
		return inputs.Source.Archive.Path
	}
	return inputs.Source.Asset.Path
}

func (inputs CopyInputs) copy(ctx context.Context) error {
	client, err := inputs.Connection.dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	remote, err := sftp.NewClient(client, sftp.UseConcurrentWrites(true))
	if err != nil {
		return err
	}
	defer remote.Close()
	return upload(remote, inputs.path(), inputs.RemotePath)
}
