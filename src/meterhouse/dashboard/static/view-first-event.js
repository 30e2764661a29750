/** What an environment shows before its first event: how to publish one. */

import { html } from "./html.js";
import { Panel } from "./view-parts.js";

export function FirstEvent({ environment, provider }) {
  const whose = provider === "default" ? "" : ` --provider '${provider.replaceAll("'", "'\\''")}'`;
  const post = (path, body) => `curl ${new URL(`v1/sdk/${path}`, document.baseURI)} \\
  -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \\
  -d '${body}'`;
  return html`
    <${Panel} id="first-event" title=${`No events in ${environment} yet`}>
      <div class="first">
        <p>On the server: a key (add the server's <code>--data DIR</code> where it has one).</p>
        <pre tabindex="0"><code>KEY=$(meterhouse key create --environment ${environment}${whose})</code></pre>
        <p>A customer:</p>
        <pre tabindex="0"><code>${post("customers", '{"email": "ada@example.com", "reference": "cus_ada"}')}</code></pre>
        <p>And an event. It shows here within a second.</p>
        <pre tabindex="0"><code>${post("events", '{"type": "usage.api_call", "customerRef": "cus_ada", "units": 1}')}</code></pre>
        <p class="about">Everything else is in <a href="docs">the API's description</a>.</p>
      </div>
    </${Panel}>
  `;
}
