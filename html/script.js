// The script of index.html: measures one round trip to the application, and reads /stream line by line.
"use strict";

for (const element of document.querySelectorAll("[data-script]")) {
  element.hidden = false;
}

async function sayTime() {
  const note = document.getElementById("script");
  try {
    const begun = performance.now();
    const response = await fetch("time.py", { cache: "no-store" });
    const text = (await response.text()).trim();
    const took = (performance.now() - begun).toFixed(1);
    if (!response.ok) throw new Error(`status ${response.status}`);
    note.textContent = `The script has run: it asked the application for the time, which is ${text}. That took ${took} ms.`;
  } catch (error) {
    note.textContent = `The script has run, but the application did not answer (${error.message}).`;
  }
}

async function readStream(lines, button) {
  button.disabled = true;
  lines.textContent = "";
  try {
    const response = await fetch("stream", { cache: "no-store" });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      lines.append(decoder.decode(part.value, { stream: true }));
    }
    lines.append("the end\n");
  } catch (error) {
    lines.append(`The stream broke off (${error.message}).\n`);
  } finally {
    button.disabled = false;
  }
}

const start = document.getElementById("start");
start.addEventListener("click", () => readStream(document.getElementById("lines"), start));
sayTime();
