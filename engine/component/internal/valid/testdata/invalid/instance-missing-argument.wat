;; "f": it is needed, and not there
(component (component $c (import "f" (func))) (instance (instantiate $c)))
