import { type CredentialName, credentialNames, credentialSpec, rotationUnit, rotationUnits } from "./catalogue.ts";

/** The name of the resource that keeps the ages; the policies know it by this name. */
export const AGES = "credential-ages";

export interface CredentialAgesArgs {
  /** Generation number by rotation unit; absent means 1. */
  readonly generation: Readonly<Record<string, number | undefined>>;
  /** What the owner supplied: its age is known to nobody here. */
  readonly supplied: { has(name: CredentialName): boolean };
}

/** A unit's rotation period, in days: the shortest of its parts. */
export function rotationPeriod(unit: string): number {
  const specs = credentialNames.filter((name) => rotationUnit(name) === unit).map(credentialSpec);
  return Math.min(...specs.flatMap((spec) => ("rotationDays" in spec ? [spec.rotationDays] : [])));
}

/** What is asked of the script, a line a unit: its name, its generation, its period in days. */
export function generationLines({ generation, supplied }: CredentialAgesArgs): string {
  const isSupplied = (unit: string) =>
    credentialNames.some((name) => rotationUnit(name) === unit && supplied.has(name));
  return rotationUnits
    .filter((unit) => !isSupplied(unit))
    .map((unit) => `${unit} ${generation[unit] ?? 1} ${rotationPeriod(unit)}\n`)
    .join("");
}

/** The ages as node-exporter reads them from a file: Prometheus's text format. */
export function agesAsMetrics(lines: string): string {
  const rows = lines
    .split("\n")
    .map((line) => line.split(" "))
    .filter((parts) => parts.length === 4);
  return [
    "# HELP credential_rotated_timestamp_seconds When a credential got its present value.",
    "# TYPE credential_rotated_timestamp_seconds gauge",
    ...rows.map(([unit, , , since]) => `credential_rotated_timestamp_seconds{name="${unit}"} ${since}`),
    "# HELP credential_rotation_period_seconds How long a value may stay.",
    "# TYPE credential_rotation_period_seconds gauge",
    ...rows.map(([unit, , days]) => `credential_rotation_period_seconds{name="${unit}"} ${Number(days) * 86_400}`),
    "",
  ].join("\n");
}
