;; no argument is for the imports from "a"
(component (core module $m (import "a" "f" (func))) (core instance (instantiate $m)))
