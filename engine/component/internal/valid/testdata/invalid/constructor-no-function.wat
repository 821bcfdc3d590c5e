;; "[constructor]r": an instance has the name of a function
(component (import "r" (type $r (sub resource))) (import "[constructor]r" (instance)))
