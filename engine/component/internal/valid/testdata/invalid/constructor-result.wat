;; the result of a constructor owns no resource
(component (import "r" (type $r (sub resource))) (import "[constructor]r" (func (result u8))))
