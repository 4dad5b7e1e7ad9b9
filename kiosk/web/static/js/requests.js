// Asking the server; never throws.

const PREFIX = document.documentElement.dataset.prefix; // under which a reverse proxy may show the pages

/** The address of a path of the server. */
export function address(path) {
  return PREFIX + path;
}

/**
 * Sends JSON, or an ArrayBuffer as it is, and gives {status, data, error, wait}; status 0 where the server was not reached
 * or had not answered after `patience` milliseconds.
 */
export async function ask(method, path, body, patience = 8000) {
  const options = { method, cache: "no-store", signal: AbortSignal.timeout(patience) };
  if (body instanceof ArrayBuffer) {
    options.headers = { "Content-Type": "application/octet-stream" };
    options.body = body;
  } else if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  try {
    const answer = await fetch(address(path), options);
    const json = answer.headers.get("content-type")?.startsWith("application/json");
    const data = json ? await answer.json() : null;
    return {
      status: answer.status, data, error: answer.ok ? null : data?.error ?? "failed",
      wait: Number(answer.headers.get("retry-after")) || 0,
    };
  } catch {
    return { status: 0, data: null, error: "unreached", wait: 0 };
  }
}
