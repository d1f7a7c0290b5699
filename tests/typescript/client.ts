// What a client in TypeScript relies on. Each line below @ts-expect-error must be refused by the compiler.
import type { components, paths } from "./casework";

type Answer<Path extends keyof paths, Method extends keyof paths[Path], Status extends number> =
  paths[Path][Method] extends { responses: Record<Status, infer Found> } ? Found : never;
type Json<Found> = Found extends { content: { "application/json": infer Body } } ? Body : never;
type Refused<Found> = Found extends { content: { "application/problem+json": infer Body } } ? Body : never;

declare const page: Json<Answer<"/cases", "get", 200>>;
export const loans: string[] = page.items.map((line) => line.loan_id);
export const following: string | null = page.next;

declare const detail: Json<Answer<"/cases/{case_id}", "get", 200>>;
export const days: [string, number, boolean, string[]][] | undefined = detail.facts.attempt_days;
// @ts-expect-error a day of attempts is no object
export const on = detail.facts.attempt_days?.[0].on;

declare const problem: Refused<Answer<"/cases/{case_id}/events", "post", 412>>;
export const code: string = problem.code;

type Headers = Answer<"/cases/{case_id}/events", "post", 200> extends { headers: infer Found } ? Found : never;
export const tag: Headers extends { ETag?: string } ? true : never = true;
export const receipt: Headers extends { Receipt?: string } ? true : never = true;

export const event: components["schemas"]["EventBody"] = { event: "start_visit", data: { visit_on: "2026-01-12" } };
// @ts-expect-error the body takes no such member
export const unknown: components["schemas"]["EventBody"] = { event: "reached", on: "2026-01-12" };
// @ts-expect-error 0 is no boolean
export const dry: components["schemas"]["BulkBody"] = { event: "reached", cases: [{ id: 1 }], dry_run: 0 };
