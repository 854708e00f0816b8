"use strict";

// Swagger UI's dark colours hang on a class; here it follows what the reader's system prefers.
const dark = matchMedia("(prefers-color-scheme: dark)");
const followSystem = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followSystem);
followSystem();

const ui = SwaggerUIBundle({
  url: document.getElementById("document").href,
  domNode: document.getElementById("operations"),
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  // Its badge would tell another server the document's address.
  validatorUrl: null,
  onComplete: () => {
    document.getElementById("version").textContent = ui.specSelectors.version();
  },
});
