// Package command runs scripts on this machine or over SSH as part of a stack: the resources, inputs and behaviour of the
// official command provider 1.2.1, so that a program cannot tell the two apart. What differs is in docs/engine.md.
package command

import (
	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// Provider serves local.Command, local.run, remote.Command and remote.CopyToRemote.
func Provider() p.Provider {
	return infer.Provider(infer.Options{
		Resources: []infer.InferredResource{
			infer.Resource(LocalCommand{}),
			infer.Resource(RemoteCommand{}),
			infer.Resource(CopyToRemote{}),
		},
		Functions: []infer.InferredFunction{infer.Function(Run{})},
	})
}
