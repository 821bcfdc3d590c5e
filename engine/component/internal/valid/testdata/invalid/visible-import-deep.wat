;; "f": the function refers to a type that is not imported
(component (type $r (enum "a")) (import "f" (func (result (option (list $r))))))
