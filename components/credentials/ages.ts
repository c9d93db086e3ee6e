import { type CredentialName, credentialNames, credentialSpec, rotationUnit, rotationUnits } from "./catalogue.ts";

/** The name of the resource that keeps the ages; the policies know it by this name. */
export const AGES = "credential-ages";

export interface CredentialAgesArgs {
  /** Generation number by rotation unit; absent means 1. */
  readonly generation: Readonly<Record<string, number | undefined>>;
  /** What the owner supplied: its age is unknown. */
  readonly supplied: { has(name: CredentialName): boolean };
}

/** A unit's rotation period, in days: the shortest of its parts. */
export function rotationPeriod(unit: string): number {
  const specs = credentialNames.filter((name) => rotationUnit(name) === unit).map(credentialSpec);
  return Math.min(...specs.flatMap((spec) => ("rotationDays" in spec ? [spec.rotationDays] : [])));
}

/** The script's input, one line per unit: its name, its generation, its period in days. */
export function generationLines({ generation, supplied }: CredentialAgesArgs): string {
  const isSupplied = (unit: string) =>
    credentialNames.some((name) => rotationUnit(name) === unit && supplied.has(name));
  return rotationUnits
    .filter((unit) => !isSupplied(unit))
    .map((unit) => `${unit} ${generation[unit] ?? 1} ${rotationPeriod(unit)}\n`)
    .join("");
}

/** A credential's present generation. */
export interface Age {
  readonly unit: string;
  readonly generation: number;
  /** How long a value may stay. */
  readonly periodDays: number;
  /** Since when it is in force, in seconds since 1970. */
  readonly since: number;
}

/** Reads the output of the resource that keeps the ages, one line per unit: its generation, its period in days, and its time. */
export function readAges(lines: string): readonly Age[] {
  return lines
    .split("\n")
    .map((line) => line.split(" "))
    .filter((parts) => parts.length === 4)
    .map(([unit = "", generation, periodDays, since]) => ({
      unit,
      generation: Number(generation),
      periodDays: Number(periodDays),
      since: Number(since),
    }));
}

/** The ages as node-exporter reads them from a file: Prometheus's text format. */
export function agesAsMetrics(lines: string): string {
  const ages = readAges(lines);
  return [
    "# HELP credential_rotated_timestamp_seconds When a credential got its present value.",
    "# TYPE credential_rotated_timestamp_seconds gauge",
    ...ages.map(({ unit, since }) => `credential_rotated_timestamp_seconds{name="${unit}"} ${since}`),
    "# HELP credential_rotation_period_seconds How long a value may stay.",
    "# TYPE credential_rotation_period_seconds gauge",
    ...ages.map(({ unit, periodDays }) => `credential_rotation_period_seconds{name="${unit}"} ${periodDays * 86_400}`),
    "",
  ].join("\n");
}
