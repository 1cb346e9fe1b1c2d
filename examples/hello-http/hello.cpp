// The component that `scripts/dev up` serves: a greeting, and an echo that streams.
#include "cusp/guest/http.hpp"

using namespace cusp::guest;

static void handle(Request& request, Response& response) {
  View path = request.path();
  response.header("content-type", "text/plain");
  if (path == View("/echo")) {
    for (View part = request.read(); part.size != 0; part = request.read()) {
      response.write(part);
      free(const_cast<char*>(part.data));
    }
  } else if (path == View("/")) {
    response.write("Hello from a component, in an instance of its own\n");
  } else {
    response.status(404).write("no such page\n");
  }
}

CUSP_HTTP_HANDLER(handle)
