/** Talking to /v1: the session's CSRF token, errors as sentences, and the server's clock. */

import { exactly } from "./json.js";

const BASE = new URL("v1/", document.baseURI);
const TIMEOUT = 15_000;

/** Something a person can be told. status 0: no answer. retryAfter: seconds, where the server says so. */
export class ApiError extends Error {
  constructor(status, message, retryAfter = null) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

let csrfToken = "";
let clockOffset = 0;

/** The server's time in milliseconds; this computer's, where the two agree to two seconds. */
export const serverNow = () => Date.now() + clockOffset;

export const signIn = async (credentials) => keep(await send("session", { method: "POST", body: credentials }));
export const session = async () => keep(await send("session"));
export const signOut = () => send("session", { method: "DELETE" });

/** GET `path` with `params`; a list gives a parameter several times. */
export function get(path, params, signal) {
  return send(`${path}?${query(params)}`, { signal });
}

/** As `get`, but the text of the answer: numbers in it keep all their digits. */
export function getText(path, params, signal) {
  return send(`${path}?${query(params)}`, { signal, text: true });
}

/** As `get`, with each number as the text of its digits. */
export const getExact = async (path, params, signal) => exactly(await getText(path, params, signal));

/** POST `body` to `path`. */
export const post = (path, body = {}) => send(path, { method: "POST", body });

function query(params) {
  const pairs = Object.entries(params).flatMap(([name, value]) => [value].flat().map((each) => [name, each]));
  return new URLSearchParams(pairs.filter(([, value]) => value !== null && value !== undefined));
}

function keep(answer) {
  csrfToken = answer.csrfToken;
  return answer;
}

async function send(path, { method = "GET", body, signal, text = false } = {}) {
  const limit = AbortSignal.timeout(TIMEOUT);
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET" && csrfToken) headers["X-CSRF-Token"] = csrfToken;
  const asked = Date.now();
  let answer;
  let content;
  try {
    answer = await fetch(new URL(path, BASE), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
      cache: "no-store",
    });
    content = await answer.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, limit.aborted ? "The server takes too long to answer." : "The server does not answer.");
  }
  noteClock(answer, asked);
  if (answer.ok) return text || answer.status === 204 ? content : JSON.parse(content);
  throw failure(answer, content);
}

function failure(answer, content) {
  const seconds = Number(answer.headers.get("Retry-After"));
  let message = `The server answered ${answer.status}.`;
  try {
    const problem = JSON.parse(content);
    message = problem.errors?.map((each) => [each.path, each.message].filter(Boolean).join(" ")).join("; ") || problem.message;
  } catch {
    // Not ours: something between here and the server answered.
  }
  return new ApiError(answer.status, message, seconds || null);
}

function noteClock(answer, asked) {
  const said = Date.parse(answer.headers.get("Date"));
  const offset = said + 500 - (asked + Date.now()) / 2; // the header has whole seconds
  clockOffset = Math.abs(offset) > 2_000 ? offset : 0;
}
