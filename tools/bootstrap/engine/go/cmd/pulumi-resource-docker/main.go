// Command pulumi-resource-docker is the docker provider, bridged from its Terraform provider.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"

	"autollm.local/engine/provider/docker"
	"autollm.local/engine/version"
)

//go:embed schema.json
var schema []byte

//go:embed bridge-metadata.json
var metadata []byte

func main() {
	tfbridge.Main("docker", version.Docker, docker.Info(metadata), schema)
}
