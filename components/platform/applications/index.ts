import type { Application } from "./application.ts";
import { autollm } from "./autollm.ts";
import { conventions } from "./conventions.ts";

/** What `application` in the stack's config may name. Another application is another table, and a row here. */
export const applications = { conventions, autollm } as const satisfies Readonly<Record<string, Application>>;

export type ApplicationName = keyof typeof applications;

export const applicationNames = Object.keys(applications) as readonly ApplicationName[];

export const isApplication = (name: string): name is ApplicationName => Object.hasOwn(applications, name);
