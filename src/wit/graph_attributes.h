// Attributes of the text as the graph keeps them. Private to wit/.
#pragma once

#include "wit/syntax.h"

namespace cusp::wit {

inline Attributes graph_attributes(const syntax::Attributes& attributes) {
  return {attributes.docs, attributes.gate, attributes.external_id};
}

} // namespace cusp::wit
