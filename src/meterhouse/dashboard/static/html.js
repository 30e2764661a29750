/** `html` for templates: what is put into them is text, never markup. */

import htm from "./vendor/htm@3.1.1/htm.js";
import { h } from "./vendor/preact@11.2.0/preact.js";

export { Component, createRef, render } from "./vendor/preact@11.2.0/preact.js";
export const html = htm.bind(h);
