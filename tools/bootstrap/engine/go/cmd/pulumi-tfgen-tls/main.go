// Command pulumi-tfgen-tls writes the schema that pulumi-resource-tls embeds.
package main

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfgen"

	"autollm.local/engine/provider/tls"
)

func main() {
	tfgen.Main("tls", tls.Info([]byte("{}")))
}
