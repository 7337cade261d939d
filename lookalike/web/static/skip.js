// "Skip to the content" moves the focus and nothing else: were the address to change, a page would
// take it for a step back and begin anew. Without this script it is a plain link, and works.

import { byId } from "./dom.js";

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
