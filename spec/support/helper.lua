-- What all specs have; tools/busted loads it before them.

require "spec.support.assertions";
require("spec.support.failures").watch();
