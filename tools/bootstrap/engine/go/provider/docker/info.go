// Package docker maps the Terraform provider's resources to the official plugin's names, so that programs and states fit both.
package docker

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	sdkv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/terraform-providers/terraform-provider-docker/shim"

	"autollm.local/engine/version"
)

// What the official plugin names or does otherwise than by rule.
var (
	config = map[string]*tfbridge.SchemaInfo{
		"host":          {Default: &tfbridge.DefaultInfo{EnvVars: []string{"DOCKER_HOST"}}},
		"registry_auth": {Name: "registryAuth", MaxItemsOne: tfbridge.False()},
	}
	resources = map[string]*tfbridge.ResourceInfo{
		"docker_image": {
			Tok: "docker:index/remoteImage:RemoteImage",
			// Without a rule of its own the name would be made up, but an image's name says which one is meant.
			Fields: map[string]*tfbridge.SchemaInfo{"name": {Name: "name"}},
		},
		"docker_config": {Tok: "docker:index/serviceConfig:ServiceConfig"},
		"docker_container": {
			Tok: "docker:index/container:Container",
			// Unless the program says otherwise.
			DeleteBeforeReplace: true,
			Fields: map[string]*tfbridge.SchemaInfo{
				"command":           {Name: "command"},
				"networks_advanced": {Name: "networksAdvanced"},
			},
		},
	}
	dataSources = map[string]*tfbridge.DataSourceInfo{
		"docker_image": {Tok: "docker:index/getRemoteImage:getRemoteImage"},
	}
)

// Info describes the provider to the bridge.
func Info(metadata []byte) tfbridge.ProviderInfo {
	info := tfbridge.ProviderInfo{
		P:            sdkv2.NewProvider(shim.New()),
		Name:         "docker",
		Version:      version.Docker,
		MetadataInfo: tfbridge.NewProviderMetadata(metadata),
		Config:       config,
		Resources:    resources,
		DataSources:  dataSources,
	}
	info.MustComputeTokens(tokens.SingleModule("docker_", "index", tokens.MakeStandard("docker")))
	info.SetAutonaming(255, "-")
	return info
}
