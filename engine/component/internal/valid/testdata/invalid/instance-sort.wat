;; "f": it is a component, where a function is needed
(component (component $c (import "f" (func))) (component $d) (instance (instantiate $c (with "f" (component $d)))))
