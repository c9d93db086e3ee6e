// Command pulumi-tfgen-docker writes the schema that pulumi-resource-docker embeds.
package main

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfgen"

	"autollm.local/engine/provider/docker"
	"autollm.local/engine/version"
)

func main() {
	tfgen.Main("docker", version.Docker, docker.Info([]byte("{}")))
}
