/** JSON for reading, digit by digit as it was sent: parsing it would round long numbers. */

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

const NUMBER_OR_TEXT = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;

/** What a JSON text says, with each number as the text of its digits. */
export const exactly = (text) => JSON.parse(text.replace(NUMBER_OR_TEXT, (each) => (each.startsWith('"') ? each : `"${each}"`)));

/** The text of one field of a JSON object, indented; null where there is none. */
export function field(text, name) {
  const tokens = text.match(TOKEN) ?? [];
  let depth = 0;
  for (let at = 0; at < tokens.length; at += 1) {
    if (depth === 1 && tokens[at + 1] === ":" && unquoted(tokens[at]) === name) return indented(valueAt(tokens, at + 2));
    depth += step(tokens[at]);
  }
  return null;
}

function valueAt(tokens, start) {
  let depth = 0;
  for (let at = start; at < tokens.length; at += 1) {
    depth += step(tokens[at]);
    if (depth === 0) return tokens.slice(start, at + 1);
  }
  return tokens.slice(start);
}

function indented(tokens) {
  let depth = 0;
  let text = "";
  const line = () => "\n" + "  ".repeat(depth);
  tokens.forEach((token, at) => {
    const next = tokens[at + 1];
    if (token === "}" || token === "]") depth -= 1;
    if ((token === "}" || token === "]") && step(tokens[at - 1]) !== 1) text += line();
    text += token;
    if (step(token) === 1) {
      depth += 1;
      if (step(next) !== -1) text += line();
    } else if (token === ",") text += line();
    else if (token === ":") text += " ";
  });
  return text;
}

const step = (token) => ({ "{": 1, "[": 1, "}": -1, "]": -1 })[token] ?? 0;

function unquoted(token) {
  return token.startsWith('"') ? JSON.parse(token) : token;
}
