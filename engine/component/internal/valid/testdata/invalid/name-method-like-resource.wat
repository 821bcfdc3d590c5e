;; "[static]r.r": the name is there already, as "r"
(component (import "r" (type $r (sub resource))) (import "[static]r.r" (func)))
