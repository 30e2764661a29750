/** The sign-in screen: a link from the server's machine, or an operator's password. */

import { Component, html } from "./html.js";
import { Logo } from "./view-parts.js";

const TOKEN = /(?:#sign-in=)?([\w-]{20,})\s*$/;

export class SignIn extends Component {
  state = { busy: null, wrong: null };

  async #send(form, credentials) {
    this.setState({ busy: form, wrong: null });
    try {
      await this.props.does.signIn(credentials);
    } catch (error) {
      this.setState({ busy: null, wrong: { form, message: error.message } });
    }
  }

  #withLink = (event) => {
    event.preventDefault();
    const token = TOKEN.exec(event.target.elements.link.value.trim())?.[1];
    if (token) this.#send("link", { token });
    else this.setState({ wrong: { form: "link", message: "That is no sign-in link: it ends in #sign-in= and a token." } });
  };

  #withPassword = (event) => {
    event.preventDefault();
    const { email, password } = event.target.elements;
    this.#send("password", { email: email.value, password: password.value });
  };

  render({ state }, { busy, wrong }) {
    if (state.phase === "starting") return html`<main class="sign-in" aria-busy="true"><${Logo} /><p class="about">Signing in …</p></main>`;
    const fault = (form) => html`<p class="wrong" role="alert">${wrong?.form === form && wrong.message}</p>`;
    return html`
      <main class="sign-in">
        <h1><${Logo} /> Meterhouse</h1>
        ${state.notice && html`<p class="notice" role="status">${state.notice}</p>`}
        <div class="sign-in-box">
          <form onSubmit=${this.#withLink}>
            <h2>Sign in with a link</h2>
            <p>On the server, run <code>meterhouse login</code> and open the link it prints. It works once, for 15 minutes.</p>
            <label for="link">Or paste the link here</label>
            <div class="joined">
              <input id="link" name="link" autocomplete="off" spellcheck="false" placeholder="http://…/#sign-in=…" required />
              <button disabled=${busy !== null}>${busy === "link" ? "Signing in …" : "Sign in"}</button>
            </div>
            ${fault("link")}
          </form>
          <form onSubmit=${this.#withPassword}>
            <h2>Sign in with a password</h2>
            <label for="email">Email</label>
            <input id="email" name="email" type="email" autocomplete="username" required />
            <label for="password">Password</label>
            <input id="password" name="password" type="password" autocomplete="current-password" required />
            <button class="primary" disabled=${busy !== null}>${busy === "password" ? "Signing in …" : "Sign in"}</button>
            ${fault("password")}
          </form>
        </div>
        <p class="about">No operator yet? <code>meterhouse operator create EMAIL</code> makes one.</p>
      </main>
    `;
  }
}
