/** A fix of one place in an upstream module, made at build time; it fails the build if the place has changed. */
export interface Patch {
  /** The part of the engine that is built with it. */
  readonly part: string;
  /** Module as `go list -m` knows it, and the file inside it. */
  readonly module: string;
  readonly file: string;
  readonly why: string;
  readonly find: string;
  readonly replace: string;
}

/** Faults of the versions that are available, fixed in later ones. */
export const patches: readonly Patch[] = [
  {
    part: "pulumi-resource-docker",
    module: "github.com/terraform-providers/terraform-provider-docker",
    file: "internal/provider/resource_docker_container_funcs.go",
    why: "after the time limit the inspection fails, and the goroutine goes on to read its empty answer: the provider dies with all its work",
    find: `						result <- fmt.Errorf("error inspecting container state: %s", err)
					}
					if infos.State.Health.Status`,
    replace: `						result <- fmt.Errorf("error inspecting container state: %s", err)
						return
					}
					if infos.State == nil || infos.State.Health == nil {
						time.Sleep(time.Second)
						continue
					}
					if infos.State.Health.Status`,
  },
  {
    part: "pulumi-resource-docker",
    module: "github.com/docker/docker",
    file: "api/common.go",
    why: "Docker 29 refuses clients older than API 1.44 by default. An older daemon says what it knows, and the client asks in that version",
    find: `DefaultVersion = "1.41"`,
    replace: `DefaultVersion = "1.44"`,
  },
];
