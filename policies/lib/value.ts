/** Stands for a value that only the update will know. A rule never counts it as missing and never as wrong. */
export const UNKNOWN: unique symbol = Symbol("unknown");

/** A resource's property, free of the SDK's proxies. */
export type Value =
  | undefined
  | null
  | boolean
  | number
  | string
  | typeof UNKNOWN
  | readonly Value[]
  | { readonly [key: string]: Value };

export type Props = { readonly [key: string]: Value };

export function isUnknown(value: Value): value is typeof UNKNOWN {
  return value === UNKNOWN;
}

/** Whether nothing was given. What is unknown was given. */
export function isMissing(value: Value): boolean {
  return value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

/** The text of a value, when it is known and one. */
export function text(value: Value): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** The elements of a list, when it is known and one. */
export function list(value: Value): readonly Value[] {
  return Array.isArray(value) ? (value as readonly Value[]) : [];
}

/** The known texts of a list. */
export function texts(value: Value): readonly string[] {
  return list(value).filter((element) => typeof element === "string");
}

/** The properties of an object, when it is known and one. */
export function record(value: Value): Props {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Props) : {};
}

/** Whether any part of a list or an object is still unknown. */
export function hasUnknown(value: Value): boolean {
  if (isUnknown(value)) return true;
  return Array.isArray(value) ? value.some(hasUnknown) : Object.values(record(value)).some(hasUnknown);
}
