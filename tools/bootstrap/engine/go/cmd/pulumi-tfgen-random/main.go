// Command pulumi-tfgen-random writes the schema that pulumi-resource-random embeds.
package main

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfgen"

	"autollm.local/engine/provider/random"
)

func main() {
	tfgen.Main("random", random.Info([]byte("{}")))
}
