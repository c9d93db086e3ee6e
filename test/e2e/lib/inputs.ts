import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

interface Property {
  readonly $ref?: string;
  readonly items?: Property;
  readonly additionalProperties?: Property;
  readonly oneOf?: readonly Property[];
}

interface ObjectType {
  readonly properties?: Readonly<Record<string, Property>>;
}

interface Resource {
  readonly inputProperties?: Readonly<Record<string, Property>>;
}

/** The part of a plugin's schema that is compared. */
export interface Schema {
  readonly resources: Readonly<Record<string, Resource>>;
  readonly types?: Readonly<Record<string, ObjectType>>;
  readonly provider?: Resource;
}

/** The inputs that a plugin takes for a resource, each as a path such as `uploads.content`. */
export function pluginInputs(schema: Schema, type: string): string[] {
  const resource = type.startsWith("pulumi:providers:") ? schema.provider : schema.resources[type];
  const found: string[] = [];
  const add = (prefix: string, properties: Readonly<Record<string, Property>>): void => {
    for (const [key, property] of Object.entries(properties)) {
      found.push(prefix + key);
      const inner = schema.types?.[reference(property) ?? ""]?.properties;
      if (inner !== undefined) add(`${prefix}${key}.`, inner);
    }
  };
  add("", resource?.inputProperties ?? {});
  return found;
}

/** The object type that a property holds, alone or in a list or a map. */
function reference(property: Property): string | undefined {
  if (property.$ref !== undefined) {
    const [, type] = property.$ref.split("#/types/");
    return type === undefined ? undefined : decodeURIComponent(type);
  }
  return [property.items, property.additionalProperties, ...(property.oneOf ?? [])]
    .filter((inner) => inner !== undefined)
    .map(reference)
    .find((type) => type !== undefined);
}

/** The inputs that an npm package declares for a resource, read from its type declarations. */
export function sdkInputs(folder: string, declaration: string, name: string): string[] {
  const found: string[] = [];
  const nestedTypes = interfaces(join(folder, "types", "input.d.ts"));
  const add = (prefix: string, members: readonly ts.PropertySignature[]): void => {
    for (const member of members) {
      const path = prefix + member.name.getText();
      found.push(path);
      const type = /inputs\.([\w.]+)/.exec(member.type?.getText() ?? "")?.[1];
      const inner = type === undefined ? undefined : nestedTypes.get(type);
      if (inner !== undefined) add(`${path}.`, inner);
    }
  };
  const args = interfaces(join(folder, declaration)).get(`${name}Args`);
  if (args === undefined) throw new Error(`${declaration} declares no ${name}Args`);
  add("", args);
  return found;
}

/** The interfaces of a declaration file, by name within their namespaces, with their properties. */
function interfaces(file: string): Map<string, readonly ts.PropertySignature[]> {
  const found = new Map<string, readonly ts.PropertySignature[]>();
  if (!existsSync(file)) return found;
  const visit = (node: ts.Node, prefix: string): void => {
    if (ts.isInterfaceDeclaration(node))
      found.set(`${prefix}${node.name.text}`, node.members.filter(ts.isPropertySignature));
    const inner = ts.isModuleDeclaration(node) ? `${prefix}${node.name.text}.` : prefix;
    ts.forEachChild(node, (child) => visit(child, inner));
  };
  visit(ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true), "");
  return found;
}
